//! The canonical printer: what it prints is read as the same query, answers the same and is printed the same again.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value as Json;
use sv0_graph::Snapshot;
use sv0_query::ast::{Clause, ExprKind, Literal};
use sv0_query::{CheckOptions, Query, QueryResult, RunOptions, Val, time};
use sv0_testkit::generate::Rng;
use sv0_testkit::graph;

fn read(text: &str) -> Query {
    Query::parse(text).unwrap_or_else(|e| panic!("{text}\n{e}"))
}

/// The canonical text, which must be its own; the broken form must be the same query.
fn canonical(text: &str) -> String {
    let q = read(text);
    let (line, lines) = (q.canonical(), q.pretty());
    assert_eq!(read(&line).canonical(), line, "{text}");
    assert_eq!(read(&lines).canonical(), line, "{text}");
    assert_eq!(read(&lines).pretty(), lines, "{text}");
    assert_eq!(tree(&read(&line)), tree(&read(&lines)), "{text}");
    line
}

/// The tree without its spans.
fn tree(q: &Query) -> String {
    static SPANS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\([0-9]+, [0-9]+\)").unwrap());
    SPANS.replace_all(&format!("{:?}", q.ast()), "_").into_owned()
}

/// The canonical text has just this tree.
fn same_tree(text: &str) {
    assert_eq!(tree(&read(&canonical(text))), tree(&read(text)), "{text}");
}

/// Queries of the case files, with the whole case.
fn cases() -> Vec<(String, Json)> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases");
    let mut out = Vec::new();
    for f in std::fs::read_dir(dir).unwrap().map(|f| f.unwrap().path()) {
        if f.extension().is_some_and(|e| e == "jsonl") {
            for line in std::fs::read_to_string(&f).unwrap().lines().filter(|l| !l.trim().is_empty()) {
                let c: Json = serde_json::from_str(line).unwrap();
                out.push((c["query"].as_str().unwrap().to_owned(), c));
            }
        }
    }
    out
}

#[test]
fn every_case_is_printed_the_same_again() {
    let texts: Vec<String> = cases().into_iter().map(|c| c.0).filter(|t| Query::parse(t).is_ok()).collect();
    assert!(texts.len() > 400, "{}", texts.len());
    for t in texts {
        canonical(&t);
    }
}

fn param(v: &Json) -> Val {
    match v {
        Json::Null => Val::Null,
        Json::Bool(b) => Val::Bool(*b),
        Json::Number(n) => n.as_i64().map_or_else(|| Val::Float(n.as_f64().unwrap()), Val::Int),
        Json::String(s) => Val::str(s.as_str()),
        Json::Array(a) => Val::List(a.iter().map(param).collect()),
        Json::Object(o) => match (o.get("ts"), o.get("dur")) {
            (Some(t), _) => Val::Timestamp(time::parse_timestamp(t.as_str().unwrap()).unwrap()),
            (_, Some(d)) => time::parse_duration(d.as_str().unwrap()).unwrap(),
            _ => panic!("{v}"),
        },
    }
}

#[test]
fn every_case_answers_the_same() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/cases/graphs.json");
    let graphs: Json = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let now = time::parse_timestamp("2026-06-01T00:00:00Z").unwrap();
    let graphs: BTreeMap<&str, Snapshot> =
        graphs.as_object().unwrap().iter().map(|(k, g)| (k.as_str(), graph::snapshot(g, now))).collect();
    let mut answered = 0;
    for (text, c) in cases() {
        let s = &graphs[c["graph"].as_str().unwrap()];
        let params: BTreeMap<_, _> =
            c["params"].as_object().into_iter().flatten().map(|(k, v)| (k.as_str().into(), param(v))).collect();
        let run = |text: &str| -> Option<QueryResult> {
            let prepared = Query::parse(text).ok()?.prepare(s, &CheckOptions::default()).ok()?;
            prepared.run(s, &RunOptions { params: params.clone(), ..RunOptions::default() }).ok()
        };
        let Some(want) = run(&text) else { continue };
        answered += 1;
        for printed in [read(&text).canonical(), read(&text).pretty()] {
            let got = run(&printed).unwrap_or_else(|| panic!("{text}\n{printed}"));
            assert_eq!((got.columns, got.rows), (want.columns.clone(), want.rows.clone()), "{text}\n{printed}");
        }
    }
    assert!(answered > 300, "{answered}");
}

/// Cypher's spellings, or ISO's own that have a shorter form, and what they become.
const SPELLINGS: &[(&str, &str)] = &[
    // Predicates without an ISO form.
    (
        "match (n) where n.a starts with 'a' or n.a ends with 'b' and n.a contains 'c' return n",
        "MATCH (n) WHERE n.a STARTS WITH 'a' OR n.a ENDS WITH 'b' AND n.a CONTAINS 'c' RETURN n",
    ),
    ("MATCH (n) WHERE n.a in [1] RETURN n", "MATCH (n) WHERE n.a IN [1] RETURN n"),
    ("MATCH (n) WHERE NOT n.a IN [1] RETURN n", "MATCH (n) WHERE n.a NOT IN [1] RETURN n"),
    ("MATCH (n) WHERE n.a =~ '(?i)a\\d' RETURN n", "MATCH (n) WHERE n.a =~ '(?i)a\\\\d' RETURN n"),
    // WITH, aggregates, UNWIND.
    (
        "MATCH (a)-->(b) WITH a, count(b) AS n WHERE n > 1 RETURN a, n",
        "MATCH (a)->(b) RETURN a, COUNT(b) AS n NEXT FILTER n > 1 RETURN a, n",
    ),
    (
        "MATCH (a) WITH a ORDER BY a.x SKIP 1 LIMIT 2 RETURN a",
        "MATCH (a) RETURN a ORDER BY a.x OFFSET 1 LIMIT 2 NEXT RETURN a",
    ),
    ("MATCH (a) WITH DISTINCT * RETURN a", "MATCH (a) RETURN DISTINCT * NEXT RETURN a"),
    (
        "MATCH (n) RETURN collect(n) AS a, count(*) AS b, min(n.x) AS c, max(n.x) AS d, sum(n.x) AS e, avg(n.x) AS f",
        "MATCH (n) RETURN COLLECT_LIST(n) AS a, COUNT(*) AS b, MIN(n.x) AS c, MAX(n.x) AS d, SUM(n.x) AS e, AVG(n.x) AS f",
    ),
    ("UNWIND [1, 2] AS x RETURN x", "FOR x IN [1, 2] RETURN x"),
    // Edges.
    ("MATCH (a)-[:A|B*2..5]->(b) RETURN a", "MATCH (a)-[:A|B]->{2,5}(b) RETURN a"),
    ("MATCH (a)-[:A|:B*]->(b) RETURN a", "MATCH (a)-[:A|B]->+(b) RETURN a"),
    ("MATCH (a)<-[e*2]-(b) RETURN a", "MATCH (a)<-[e]-{2}(b) RETURN a"),
    ("MATCH (a)-[*..5]-(b) RETURN a", "MATCH (a)-{1,5}(b) RETURN a"),
    ("MATCH (a)-[*0..]->(b) RETURN a", "MATCH (a)->*(b) RETURN a"),
    ("MATCH (a)-[*3.. {x: 1}]->(b) RETURN a", "MATCH (a)-[{x: 1}]->{3,}(b) RETURN a"),
    ("MATCH (a)-->(b)<--(c)--(d)<-->(e) RETURN a", "MATCH (a)->(b)<-(c)-(d)-(e) RETURN a"),
    ("MATCH (a)-[]->(b)<-[e]->(c) RETURN a", "MATCH (a)->(b)-[e]-(c) RETURN a"),
    ("MATCH (n:A:B)-[:T {}]->(c IS C) RETURN n", "MATCH (n:A&B)-[:T]->(c:C) RETURN n"),
    // Functions.
    (
        "RETURN toLower('A') AS a, toUpper('b') AS b, toString(1) AS c, toInteger('1') AS d, toFloat('1') AS e, toBoolean('true') AS f",
        "RETURN LOWER('A') AS a, UPPER('b') AS b, CAST(1 AS STRING) AS c, CAST('1' AS INTEGER) AS d, CAST('1' AS FLOAT) AS e, CAST('true' AS BOOLEAN) AS f",
    ),
    (
        "MATCH p = (a)-->(b) RETURN NODES(p) AS a, Relationships(p) AS b, length(p) AS c, elements(p) AS d",
        "MATCH p = (a)->(b) RETURN nodes(p) AS a, relationships(p) AS b, PATH_LENGTH(p) AS c, ELEMENTS(p) AS d",
    ),
    (
        "RETURN datetime() AS a, date() AS b, duration('P3D') AS c, datetime('2026-01-01').epochseconds AS d, CURRENT_TIMESTAMP AS e",
        "RETURN ZONED_DATETIME() AS a, DATE() AS b, DURATION('P3D') AS c, ZONED_DATETIME('2026-01-01').epochseconds AS d, CURRENT_TIMESTAMP AS e",
    ),
    (
        "RETURN DATE '2026-01-01' AS a, ZONED DATETIME '2026-01-01' AS b",
        "RETURN DATE('2026-01-01') AS a, ZONED_DATETIME('2026-01-01') AS b",
    ),
    (
        "RETURN cast(1 AS int64) AS a, cast('x' AS datetime) AS b",
        "RETURN CAST(1 AS INTEGER) AS a, CAST('x' AS ZONED DATETIME) AS b",
    ),
    (
        "MATCH (n)-[r]->(m) RETURN LABELS(n) AS a, TYPE(r) AS b, ID(n) AS c, elementId(n) AS d, startnode(r) AS e, Coalesce(n.x, 1) AS f, SIZE(n.l) AS g",
        "MATCH (n)-[r]->(m) RETURN labels(n) AS a, type(r) AS b, id(n) AS c, ELEMENT_ID(n) AS d, startNode(r) AS e, COALESCE(n.x, 1) AS f, SIZE(n.l) AS g",
    ),
    // Lists.
    (
        "RETURN ANY(x in [1] where x = 1) AS a, all(x IN [1] WHERE x = 1) AS b, none(x IN [1] WHERE x = 1) AS c, single(x IN [1] WHERE x = 1) AS d",
        "RETURN any(x IN [1] WHERE x = 1) AS a, all(x IN [1] WHERE x = 1) AS b, none(x IN [1] WHERE x = 1) AS c, single(x IN [1] WHERE x = 1) AS d",
    ),
    (
        "MATCH (n) RETURN [x IN n.l WHERE (x > 1) | x * 2] AS a, n.l[0] AS b, n.l[1..2] AS c, n.l[..2] AS d, n.l[1..] AS e",
        "MATCH (n) RETURN [x IN n.l WHERE x > 1 | x * 2] AS a, n.l[0] AS b, n.l[1..2] AS c, n.l[..2] AS d, n.l[1..] AS e",
    ),
    // Paths and patterns.
    (
        "MATCH p = shortestPath((a)-[:A*]->(b)) WHERE all(n IN nodes(p) WHERE n.x = 1) RETURN p",
        "MATCH p = shortestPath((a)-[:A]->+(b)) WHERE all(n IN nodes(p) WHERE n.x = 1) RETURN p",
    ),
    ("MATCH p = allshortestpaths((a)-[*1..3]-(b)) RETURN p", "MATCH p = allShortestPaths((a)-{1,3}(b)) RETURN p"),
    (
        "MATCH (a), (b) WHERE NOT (a)-[:T]->(b) AND exists((a)-[:U]->()) AND EXISTS { MATCH (a)-->(b) WHERE b.x = 1 } RETURN a",
        "MATCH (a), (b) WHERE NOT EXISTS { (a)-[:T]->(b) } AND EXISTS { (a)-[:U]->() } AND EXISTS { (a)->(b) WHERE b.x = 1 } RETURN a",
    ),
    (
        "MATCH (a) WHERE exists(a.x) AND COUNT { (a)--() } > 3 RETURN a",
        "MATCH (a) WHERE a.x IS NOT NULL AND COUNT { (a)-() } > 3 RETURN a",
    ),
    (
        "MATCH DIFFERENT EDGES p = ANY SHORTEST ACYCLIC PATHS (a)->+(b) RETURN p",
        "MATCH p = ANY SHORTEST ACYCLIC (a)->+(b) RETURN p",
    ),
    ("MATCH p = SHORTEST 1 (a)->+(b) RETURN p", "MATCH p = ANY SHORTEST (a)->+(b) RETURN p"),
    ("MATCH p = SHORTEST 2 WALK PATH GROUP (a)->+(b) RETURN p", "MATCH p = SHORTEST 2 WALK GROUPS (a)->+(b) RETURN p"),
    ("MATCH (a)->{1,1}(b)->{,4}(c)->{0,}(d)->{1,}(e) RETURN a", "MATCH (a)->{1}(b)->{0,4}(c)->*(d)->+(e) RETURN a"),
    // The rest.
    (
        "MATCH (a) FILTER WHERE a.x != 1 RETURN a.x ORDER BY a.x ASC SKIP 1",
        "MATCH (a) FILTER a.x <> 1 RETURN a.x ORDER BY a.x OFFSET 1",
    ),
    ("MATCH (a) WHERE 1 < a.x < 3 RETURN a", "MATCH (a) WHERE 1 < a.x AND a.x < 3 RETURN a"),
    (
        "MATCH (a) WHERE NOT a:A AND a IS LABELED B OR a:(A|!B) RETURN a",
        "MATCH (a) WHERE a IS NOT LABELED A AND a:B OR a IS LABELED A|!B RETURN a",
    ),
    (
        "RETURN 1 AS a UNION DISTINCT RETURN 0x10 AS a INTERSECT ALL RETURN 1_000 AS a;",
        "RETURN 1 AS a UNION RETURN 16 AS a INTERSECT ALL RETURN 1000 AS a",
    ),
    ("explain MATCH (a /* x */) RETURN a // y", "EXPLAIN MATCH (a) RETURN a"),
    // Graphs.
    ("AT SNAPSHOT base MATCH (a) RETURN a", "AT SNAPSHOT 'base' MATCH (a) RETURN a"),
    ("AT TIME '2026-05-14T02:00:00+02:00' MATCH (a) RETURN a", "AT TIME '2026-05-14T00:00:00Z' MATCH (a) RETURN a"),
    ("USE diff(12, '2026-05-14T00:00Z') MATCH (a) RETURN a", "USE diff(12, '2026-05-14T00:00:00Z') MATCH (a) RETURN a"),
    // A column keeps its name.
    (
        "MATCH (a) RETURN a.x, a.x+1, (a.x), toLower(a.x)",
        "MATCH (a) RETURN a.x, a.x + 1 AS `a.x+1`, a.x AS `(a.x)`, LOWER(a.x) AS `toLower(a.x)`",
    ),
];

/// What is canonical already.
const CANONICAL: &[&str] = &[
    "MATCH (i:identity {status: 'active'})-[:HAS_ROLE]->(r:role) RETURN i.name AS x, r.name AS y",
    "MATCH (i:identity WHERE i.status = 'active')-[g:HAS_PERMISSION WHERE g.evidence = 'direct']->(p:permission) RETURN i.id, p.id",
    "MATCH (n:identity|automation)-[:RUNS_AS]->(x:%), (y:identity&!tier_zero) RETURN n.id",
    "MATCH p = TRAIL (a:identity) ((x)-[:CAN_CONTROL]->(y)-[:RUNS_AS]->(z)){1,4} (t:identity) RETURN p",
    "MATCH (a:automation)-[:INVOKES]->? (b:automation)-[:RUNS_AS]->(i:identity) RETURN a.id, i.id",
    "MATCH (a:automation) (-[:INVOKES]->(b:automation))? -[:RUNS_AS]->(i:identity) RETURN a.id, i.id",
    "MATCH p = (a:identity) (-[:HAS_ROLE]->(x) | -[:MEMBER_OF]->(x)-[:HAS_ROLE]->(y)) RETURN p",
    "MATCH REPEATABLE ELEMENTS (a)-[r]->(b)<-[s]-(c) RETURN a.id, c.id",
    "MATCH p = ANY SHORTEST ((a:identity)-[e]->+(b:resource) WHERE SIZE(e) > 2) RETURN p",
    "MATCH (i) OPTIONAL { MATCH (i)-[:OWNED_BY]->(o) MATCH (o)-[:REPORTS_TO]->(d) FILTER d.x = 1 } RETURN i.id, d.name",
    "MATCH (i) OPTIONAL MATCH (i)->(o) OPTIONAL CALL (i, o) { MATCH (i)-(r) RETURN COUNT(r) AS n UNION RETURN 1 AS n } RETURN n",
    "MATCH (i) CALL { RETURN 1 AS x } CALL () { RETURN 2 AS y } RETURN VALUE { MATCH (i)->(r) RETURN COUNT(r) AS c } AS v",
    "MATCH (i:identity) WHERE i:tier_zero AND i IS NOT LABELED anonymous RETURN i.id",
    "MATCH (a)-[e]->(b) WHERE a IS SOURCE OF e AND b IS NOT DESTINATION OF e AND ALL_DIFFERENT(a, b) RETURN a.id",
    "MATCH (i:identity) WHERE i.last_seen IS NULL OR PROPERTY_EXISTS(i, last_seen) RETURN i.id",
    "MATCH (i) LET idle = DURATION_BETWEEN(i.last_seen, CURRENT_TIMESTAMP) FILTER idle > DURATION('P180D') RETURN i.id, idle",
    "FOR x IN [1, 2] WITH ORDINALITY o FOR y IN [x] WITH OFFSET n RETURN x, o, y, n",
    "MATCH (i)-[:HAS_ROLE]->(r) RETURN r.name AS role, COUNT(DISTINCT i) AS n GROUP BY role ORDER BY n DESC LIMIT 20",
    "MATCH (i) RETURN COUNT(*) AS n GROUP BY () NEXT FILTER n > 5 RETURN n",
    "MATCH (i:identity) RETURN DISTINCT i.system AS s ORDER BY s NULLS LAST OFFSET 10 LIMIT 10",
    "MATCH (a) RETURN a.id AS id EXCEPT ALL MATCH (a)-[:OWNED_BY]->(:owner) RETURN a.id AS id",
    "MATCH (i) RETURN CASE WHEN i.x IS NULL THEN 'never' ELSE 'active' END AS s, CASE i.x WHEN 1 THEN 2 END AS t",
    "MATCH (i) WHERE (i.status = 'active') IS TRUE AND (i.x = 1) IS NOT FALSE AND i.y IS UNKNOWN RETURN ELEMENT_ID(i) AS eid",
    "MATCH (i:`aws.role`) WHERE i.name = 'it''s' RETURN i.name || '@' || i.tenant AS upn",
    "USE snap MATCH (i) RETURN i.id AS id EXCEPT USE $$base MATCH (i) RETURN i.id AS id",
    "AT SNAPSHOT 12 MATCH (i) WHERE EXISTS { USE diff(a, $$b) MATCH (j) WHERE j.id = i.id } RETURN *",
];

#[test]
fn spellings_have_one_form() {
    let mut wrong = Vec::new();
    let same = CANONICAL.iter().map(|c| (c, c));
    for (text, want) in SPELLINGS.iter().map(|(t, c)| (t, c)).chain(same) {
        let got = canonical(text);
        if got != *want {
            wrong.push(format!("{text}\n  want {want}\n  got  {got}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for c in CANONICAL {
        same_tree(c);
    }
}

#[test]
fn long_queries_are_broken() {
    let inner = "MATCH (i)-[:OWNED_BY]->(o:owner)-[:REPORTS_TO]->(d:owner) MATCH (d)-[:OWNED_BY]->(x) WHERE x.status = 'active'";
    let text = format!(
        "USE g MATCH (i:identity) WHERE i.status = 'active' AND NOT EXISTS {{ {inner} RETURN x }} \
         WITH i WHERE i.x > 1 RETURN i.id UNION MATCH (n) RETURN n.id"
    );
    let want = [
        "USE g",
        "MATCH (i:identity)",
        "  WHERE i.status = 'active'",
        "    AND NOT EXISTS {",
        "      MATCH (i)-[:OWNED_BY]->(o:owner)-[:REPORTS_TO]->(d:owner)",
        "      MATCH (d)-[:OWNED_BY]->(x) WHERE x.status = 'active'",
        "      RETURN x",
        "    }",
        "WITH i WHERE i.x > 1",
        "RETURN i.id",
        "UNION",
        "MATCH (n)",
        "RETURN n.id",
    ];
    assert_eq!(read(&text).pretty(), want.join("\n"));
    canonical(&text);
}

#[test]
fn any_name_is_read_again() {
    // All keywords of the parser.
    let word = Regex::new(r#""([A-Z]{2,})""#).unwrap();
    let parser = [
        include_str!("../../src/parse/clause.rs"),
        include_str!("../../src/parse/expr.rs"),
        include_str!("../../src/parse/pattern.rs"),
    ];
    let mut names: Vec<String> = parser.iter().flat_map(|t| word.captures_iter(t)).map(|c| c[1].to_owned()).collect();
    names.extend(["true", "FALSE", "null", "AND", "or", "XOR", "not"].map(str::to_owned));
    assert!(names.len() > 100, "{}", names.len());
    names.iter_mut().step_by(2).for_each(|n| *n = n.to_lowercase());
    #[rustfmt::skip]
    let odd = [
        "", "`", "``", "x`y", "a b", "1a", "a.b", "a-b", "naïve", "Ünï_1", "日本", "_", "'", "\"", "\\", "\\n", "a\nb", "\0",
        "--", "//", "/*", "*/", "]", ")", "}", "((", "[[", "{{", "$", "$$", "%", ":", "current_timestamp", "İ", "ǅ",
    ];
    names.extend(odd.map(str::to_owned));
    // `N` is the name wherever it stands.
    let trees = [
        "MATCH N = (N:N {N: 1} WHERE N.N = 2)-[N:N|!N WHERE N:N]->(b) WHERE N IS LABELED N&N AND b IS SOURCE OF N RETURN N",
        "MATCH (N) RETURN DISTINCT N, N.N AS N GROUP BY N, N ORDER BY N DESC, N.N",
        "RETURN [N IN N WHERE N | N] AS x, any(N IN N WHERE N) AS y, [(N IN N)] AS z, N[N..N] AS v, -N AS w",
        "RETURN CASE N WHEN N THEN N ELSE N END AS x, CASE WHEN N THEN N END AS N, $N AS y, NOT N AS z, N IN N AS v",
        "FOR N IN N WITH ORDINALITY N FILTER N LET N = N, b = N RETURN N NEXT RETURN N",
        "USE N MATCH (N) RETURN * UNION USE $$N MATCH (:N) RETURN * UNION USE diff(N, $$N) MATCH (a IS N) RETURN *, 1 AS N",
        "MATCH (a) OPTIONAL CALL (N, N) { RETURN N } RETURN EXISTS { N = (N) } AS x, COUNT { N = ANY (N), (N) } AS y",
        "MATCH (N)-[N WHERE N]->(N {N: N}), ((N)-[N]->(N) WHERE N){1,2} RETURN VALUE { RETURN N } AS x",
    ];
    let place = Regex::new(r"\bN\b").unwrap();
    for n in &names {
        let quoted = format!("`{}`", n.replace('`', "``"));
        let fill = |t: &str| place.replace_all(t, regex::NoExpand(&quoted)).into_owned();
        for t in trees {
            same_tree(&fill(t));
        }
        canonical(&fill("RETURN N(N) AS x, N.N(DISTINCT N, 1) AS y, N() AS z, CAST(N AS N) AS v"));
    }
}

/// The only column's literal.
fn literal(q: &Query) -> Literal {
    match &q.ast().first.clauses[..] {
        [Clause::Return(p)] => match &p.items[0].expr.kind {
            ExprKind::Lit(l) => l.clone(),
            e => panic!("{e:?}"),
        },
        c => panic!("{c:?}"),
    }
}

#[test]
fn any_literal_is_read_again() {
    let all: String = (0..0x300).filter_map(char::from_u32).collect();
    #[rustfmt::skip]
    let texts = [
        "", "'", "''", "\"", "`", "\\", "\\\\", "\\'", "\\n", "\n", "\r\n\t\u{8}\u{c}\0\u{7f}\u{85}", "\\u0041", "\\U000041",
        "\\d+\\.", "it's", "a // b /* c", "]})", "[({", "\u{2028}\u{feff}\u{a0}", "日本 😀", all.as_str(),
    ];
    for t in texts {
        let text = format!("RETURN '{}' AS x", t.replace('\\', "\\\\").replace('\'', "\\'"));
        assert_eq!(literal(&read(&text)), Literal::Str(t.into()), "{text}");
        assert_eq!(literal(&read(&canonical(&text))), Literal::Str(t.into()), "{text}");
    }
    #[rustfmt::skip]
    let numbers = [
        "0", "1", "-1", "9223372036854775807", "-9223372036854775808", "0x7fffffffffffffff", "-0x8000000000000000", "0o17",
        "1_000", "1.0", "-0.0", "0.1", ".5", "1e5", "1E-7", "1e16", "123456789012345680.0", "1e300", "-1.5e-300", "5e-324",
        "1.7976931348623157e308", "2.2250738585072014e-308", "true", "NULL",
    ];
    for n in numbers {
        same_tree(&format!("RETURN {n} AS x"));
        same_tree(&format!("RETURN a - {n} AS x, ({n}).y AS y, ({n})[0] AS z, 1 * {n} AS v, a[{n}..{n}] AS w"));
    }
}

#[test]
fn trees_stay() {
    for e in [
        "a AND b AND c AND d AND e",
        "a AND (b AND (c AND (d AND e)))",
        "(((a AND b) AND c) AND d) AND e",
        "(a OR b) AND (c OR d) XOR NOT (e AND f)",
        "(a XOR b) XOR (c XOR d XOR e) XOR f",
        "1 < 2 < 3 < 4 < 5 AND a < b < c",
        "NOT NOT (NOT a) = b",
        "(NOT a) = (b = c) = d",
        "(a = b) IS NULL = (c IS NULL IS NOT NULL)",
        "a = b IS NULL",
        "(a IN b) IN c IN d",
        "(a NOT IN b) IS TRUE",
        "NOT (a IN b) IS TRUE",
        "1 - (2 - 3) - 4 + (5 + 6) || (a || b)",
        "2 * (3 * 4) / (5 / 6) % 7",
        "(1 + 2) * 3",
        "a - ([1])",
        "a - ([1] * 2)[0]",
        "a - (-[1])",
        "a < -(b) AND a < - [1][0]",
        "-(-a) - -b",
        "-(a.b) + (-a).b",
        "-(a + b)",
        "(a + b).c[d][e..f].g",
        "(CASE WHEN a THEN b END).c",
        "[(x IN l)]",
        "[x IN l, 1]",
        "[(x IN l) IN m]",
        "[x IN l]",
        "[x IN l || m WHERE (x:A) | x]",
        "[x IN l WHERE x.y AND (NOT x:A|B) | x || 1]",
        "[x IN l WHERE x:A]",
        "(a:A) = (b:B)",
        "(a:A) - (b:B)",
        "(a IS UNKNOWN) - -(b)",
        "a IS LABELED (A|B)&!(C&D)|!(!E)|(F|(G|H))",
        "a:A AND a.b:A AND (a:A):B",
        "f(DISTINCT a) + f() + a.b.f(x, [x IN l]) + COUNT(*)",
        "any(x IN (y IN z) WHERE x) OR none(x IN [1] WHERE any(y IN x WHERE y = x))",
        "EXISTS { (a)-[:T]->(b) WHERE a.x = 1 } AND COUNT { MATCH (a) MATCH (b) } > 1",
        "EXISTS { OPTIONAL MATCH (a) } OR EXISTS { USE g MATCH (a) } OR VALUE { RETURN 1 } = 2",
    ] {
        same_tree(&format!("RETURN {e} AS x"));
        same_tree(&format!("MATCH (a WHERE {e}) WHERE {e} FILTER {e} RETURN a ORDER BY {e}"));
    }
    for p in [
        "(a) (b)",
        "-> -> <- - -[e]- <-[f]-",
        "((a))",
        "(((a)-->(b)))+",
        "((a) | (b)-->(c) | -[e]->)? (d)",
        "((a) (b)-->{2}-->* <--+ (c) WHERE a.x)",
        "(WHERE 1 = 1)-[WHERE 2 = 2]->({x: 1})-[{y: 2} WHERE 1 = 1]-(:A {z: 3})",
        "(:!(A&B)|!C&(D|E)&F)",
        "()",
    ] {
        same_tree(&format!("MATCH p = ALL {p}, q = SHORTEST 3 SIMPLE {p}, ANY 2 {p} RETURN EXISTS {{ {p} }} AS x"));
    }
}

/// An expression of random shape, with more parentheses than it needs.
fn expression(r: &mut Rng, depth: usize) -> String {
    if depth == 0 {
        return r
            .pick(&["a", "b.c", "1", "-2", "1.5", "'x'", "true", "null", "$p", "[]", "[1]", "`in`", "f(a)"])
            .to_owned();
    }
    let part = |r: &mut Rng| {
        let below = depth - 1 - r.below(depth.min(2));
        let e = expression(r, below);
        if r.one_in(2) { format!("({e})") } else { e }
    };
    let (a, b) = (part(r), part(r));
    match r.below(18) {
        0 | 1 => format!("{a} AND {b} AND {}", part(r)),
        2 | 3 => format!("{a} OR {b} OR {} OR {}", part(r), part(r)),
        4 => format!("{a} XOR {b}"),
        5 => format!("NOT {a}"),
        6 | 7 => {
            let op = r.pick(&[" + ", " - ", " * ", " / ", " % ", " || "]);
            format!("{a}{op}{b}")
        }
        8 => {
            let op = r.pick(&[" = ", " <> ", " < ", " >= "]);
            format!("{a}{op}{b}")
        }
        9 => format!("{a} < {b} < c"),
        10 => {
            let test =
                r.pick(&[" IS NULL", " IS NOT NULL", " IS TRUE", " IS NOT UNKNOWN", ":A", " IS NOT LABELED A|!B"]);
            format!("{a}{test}")
        }
        11 => {
            let op = r.pick(&[" IN ", " NOT IN ", " STARTS WITH ", " CONTAINS ", " =~ "]);
            format!("{a}{op}{b}")
        }
        12 => format!("- {a}"),
        13 => format!("[x IN {a} WHERE {b} | {}]", part(r)),
        14 => format!("({a})[{b}].d"),
        15 => format!("CASE {a} WHEN {b} THEN {} END", part(r)),
        16 => format!("all(x IN {a} WHERE {b})"),
        _ => format!("EXISTS {{ (a {{x: {a}}})-[e WHERE {b}]->() }}"),
    }
}

#[test]
fn random_trees_stay() {
    let mut read = 0;
    for seed in 0..3000 {
        let mut r = Rng::new(seed);
        let depth = 1 + r.below(4);
        let text = format!("RETURN {} AS x", expression(&mut r, depth));
        if Query::parse(&text).is_ok() {
            read += 1;
            same_tree(&text);
        }
    }
    assert!(read > 1500, "{read}");
}

//! Queries that mean harm: products, paths without end, values that outgrow memory, texts that break parsers. Each must end
//! with rows or a typed error, within its time and its memory.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};
use sv0_graph::Snapshot;
use sv0_query::{Budget, CheckOptions, Query, QueryError, RunOptions, Stop};

/// What each query may use.
pub const TIME: Duration = Duration::from_millis(500);
/// What each query may hold, in bytes.
pub const MEMORY: u64 = 64 << 20;

/// What one query did.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Which one.
    pub name: String,
    /// Its code, or how many rows.
    pub end: String,
    /// How long past its time it ran.
    pub overshoot: Duration,
    /// How much more memory the process used at most, in bytes.
    pub memory: u64,
}

/// The graphs that queries run on: all edges of one type, so that everything can follow everything.
fn graphs() -> Vec<(&'static str, Snapshot)> {
    let made = |nodes: usize, edges: &mut dyn Iterator<Item = (usize, usize)>| {
        let nodes: Vec<Json> =
            (0..nodes).map(|i| json!({"id": format!("n{i}"), "type": "identity", "kind": "aws.role", "name": format!("name {i}"), "props": {"count": i % 7}})).collect();
        let edges: Vec<Json> =
            edges.map(|(a, b)| json!({"type": "CAN_ASSUME", "from": format!("n{a}"), "to": format!("n{b}")})).collect();
        crate::graph::snapshot(&json!({"nodes": nodes, "edges": edges}), 0)
    };
    let grid = |at: usize| {
        let (x, y) = (at % 40, at / 40);
        [(x < 39).then_some((at, at + 1)), (y < 39).then_some((at, at + 40))].into_iter().flatten()
    };
    vec![
        ("k20", made(20, &mut (0..20).flat_map(|a| (0..20).filter(move |b| *b != a).map(move |b| (a, b))))),
        ("hub", made(3001, &mut (1..3001).flat_map(|i| [(i, 0), (0, i)]))),
        ("chain", made(2001, &mut (0..2000).map(|i| (i, i + 1)).chain([(2000, 1900)]))),
        ("grid", made(1600, &mut (0..1600).flat_map(grid))),
        ("none", made(1, &mut std::iter::empty())),
    ]
}

/// Paths over one of the graphs.
const PATHS: &[&str] = &[
    "MATCH p = (a)-[e]->*(b) RETURN count(*) AS n",
    "MATCH p = (a)-[e]-+(b) RETURN p",
    "MATCH p = TRAIL (a)-[e]->{1,30}(b) RETURN count(p) AS n",
    "MATCH p = ACYCLIC (a)-[e]->*(b) RETURN count(*) AS n",
    "MATCH p = SIMPLE (a)-[e]->+(b) RETURN collect(p) AS all",
    "MATCH p = WALK (a)-[e]->{1,20}(b) RETURN count(*) AS n",
    "MATCH REPEATABLE ELEMENTS p = (a)-[e]-{0,12}(b) RETURN p",
    "MATCH p = SHORTEST 1000 (a)-[e]->+(b) RETURN count(*) AS n",
    "MATCH p = SHORTEST 50 GROUPS (a)-[e]->+(b) RETURN count(*) AS n",
    "MATCH p = ALL SHORTEST (a)-[e]->+(b) RETURN count(*) AS n",
    "MATCH p = ANY SHORTEST ((a)-[e]->+(b) WHERE SIZE(e) > 25) RETURN p",
    "MATCH p = ANY SHORTEST ((a)-[e]->+(b) WHERE all(x IN e WHERE x.key = 'no')) RETURN p",
    "MATCH p = SHORTEST 3 WALK (a)-[e]->+(b) RETURN count(*) AS n",
    "MATCH p = ANY 500 (a)-[e]->*(a) RETURN count(*) AS n",
    "MATCH (a) ((x)-[e]->(y) WHERE x.count <> y.count){1,14} (b) RETURN count(*) AS n",
    "MATCH (a) ((x)-[e]->(y)-[f]->(z)){1,8} (b) RETURN count(*) AS n",
    "MATCH (a) ((x)-[e]->(y) | (x)<-[f]-(y))+ (b) RETURN count(*) AS n",
    "MATCH ALL SHORTEST (a) ((x)-[e]->(y) | (x)-[f]->(y))+ (b) RETURN count(*) AS n",
    "MATCH (a)-[e]->{1,10000}(b) RETURN count(*) AS n",
    "MATCH p = shortestPath((a)-[*]->(b)) WHERE none(x IN nodes(p) WHERE x.count = 3) RETURN count(p) AS n",
    "MATCH p = allShortestPaths((a)-[*]-(b)) RETURN count(*) AS n",
    "MATCH (a)-[*]->(b)-[*]->(c) RETURN count(*) AS n",
    "MATCH (a), (b), (c), (d), (e) RETURN count(*) AS n",
    "MATCH (a)-->(b), (c)-->(d), (e)-->(f) RETURN a, b, c, d, e, f",
    "MATCH (a)-->(b)-->(c)-->(d)-->(e)-->(f) WHERE a.name = f.name + '!' RETURN count(*) AS n",
    "MATCH (a) WHERE EXISTS { (a)-[e]->+(b) WHERE b.count > 9 } RETURN count(*) AS n",
    "MATCH (a) WHERE COUNT { (a)-[e]->{1,9}(b) } > 1000000000 RETURN a",
    "MATCH (a) RETURN VALUE { MATCH (a)-[e]->{1,12}(b) RETURN count(*) AS n } AS n",
    "MATCH (a) CALL (a) { MATCH (a)-[e]->{1,9}(b) RETURN collect(b) AS bs } RETURN count(*) AS n",
    "MATCH (a) OPTIONAL { MATCH (a)-[e]->{3,9}(b) MATCH (b)-[f]->{3,9}(c) } RETURN count(*) AS n",
    "MATCH (a)-[e]->{1,4}(b) RETURN a, b, e ORDER BY a.name, b.name DESC",
    "MATCH (a)-[e]->{1,5}(b) RETURN DISTINCT e",
    "MATCH (a)-[e]->{1,5}(b) RETURN e AS k, count(*) AS n GROUP BY k",
    "MATCH (a), (b), (c) RETURN collect(a.name || b.name || c.name) AS l",
    "MATCH (a)-[e]->+(b) RETURN DISTINCT a.id, b.id",
    "MATCH (a)-[e]->+(b) RETURN count(DISTINCT b) AS n UNION MATCH (a)-[e]-+(b) RETURN count(DISTINCT a) AS n",
];

/// Values and texts, without a graph worth its name.
const VALUES: &[&str] = &[
    "UNWIND range(1, 1000000) AS a UNWIND range(1, 1000000) AS b RETURN count(*) AS n",
    "UNWIND range(1, 1000000) AS a UNWIND range(1, 1000000) AS b RETURN DISTINCT a * b AS n ORDER BY n",
    "RETURN range(1, 9223372036854775807) AS l",
    "RETURN range(9223372036854775807, -9223372036854775808, -1) AS l",
    "RETURN size([x IN range(1, 1000000) | range(1, 100000)]) AS n",
    "RETURN any(x IN range(1, 1000000) WHERE any(y IN range(1, 1000000) WHERE x + y < 0)) AS b",
    "LET s = 'aaaaaaaaaaaaaaaa' LET t = replace(s, 'a', s) LET u = replace(t, 'a', t) LET v = replace(u, 'a', u) LET w = replace(v, 'a', v) RETURN size(w) AS n",
    "LET l = [1,2,3,4,5,6,7,8] LET m = [x IN l | l] LET n = [x IN m | m] LET o = [x IN n | n] LET p = [x IN o | o] LET q = [x IN p | p] RETURN size(flatten(q)) AS n",
    "UNWIND range(1, 100000) AS x WITH collect(x) AS l UNWIND l AS a UNWIND l AS b RETURN sum(a * b) AS n",
    "RETURN 9223372036854775807 + 1 AS n",
    "RETURN -9223372036854775808 / -1 AS n",
    "RETURN 1 / 0 AS n",
    "RETURN 5 % 0 AS n",
    "RETURN substring('abc', 9223372036854775807, 9223372036854775807) AS s",
    "RETURN left('abc', -1) AS s",
    "RETURN split('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '') AS s",
    "RETURN [1,2,3][-9223372036854775808] AS x, [1,2,3][9223372036854775807..] AS y",
    "RETURN DURATION('P9999999999Y') AS d",
    "RETURN ZONED_DATETIME('9999-12-31T23:59:59Z') + DURATION('P9000Y') AS t",
    "RETURN DURATION_BETWEEN(ZONED_DATETIME('0001-01-01T00:00:00Z'), ZONED_DATETIME('9999-12-31T00:00:00Z')) * 9223372036854775807 AS d",
    "RETURN 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab' =~ '(a+)+c' AS b",
    "RETURN 'a' =~ '(((((a{1,100}){1,100}){1,100}){1,100}){1,100})' AS b",
    "RETURN 'a' =~ '(?=a)a' AS b",
    "RETURN 'x' =~ '(a|aa|aaa|aaaa|aaaaa)*$' AS b",
    "UNWIND range(1, 1000000) AS x RETURN x LIMIT 9223372036854775807",
    "UNWIND range(1, 1000000) AS x RETURN x SKIP 9223372036854775807",
    "RETURN 1 AS n LIMIT -1",
    "RETURN reverse(range(1, 1000000)) = range(1, 1000000) AS b",
    "UNWIND range(1, 300000) AS x RETURN collect([x, range(1, 50)]) AS l",
    "UNWIND range(1, 1000000) AS x RETURN toString(x) || 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' AS s, count(*) AS n",
    "UNWIND range(1, 1000000) AS x RETURN x ORDER BY -x",
    "UNWIND range(1, 2000) AS x UNWIND range(1, 2000) AS y WITH x, collect(y) AS l RETURN collect(l) AS m",
    "RETURN all_different(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16) AS b",
    "CALL { UNWIND range(1, 1000000) AS x RETURN x } CALL { UNWIND range(1, 1000000) AS y RETURN y } RETURN count(*) AS n",
    "OPTIONAL CALL { UNWIND range(1, 1000000) AS x CALL { UNWIND range(1, 1000000) AS y RETURN y } RETURN x, y } RETURN count(*) AS n",
    "RETURN '\\u0000\\u202e\\ufeff' AS `\u{202e}\u{200b}name`",
    "MATCH (`\u{0}`) RETURN `\u{0}`",
    "RETURN 'never closed",
    "RETURN /* never closed",
    "MATCH (a WHERE",
    "RETURN [1, 2",
    "RETURN CASE WHEN",
    "RETURN $x$y",
    "RETURN 1e999999999 AS x",
    "RETURN 99999999999999999999 AS x",
    "RETURN 0x AS x",
    "RETURN 1__2 AS x",
    "USE nothing MATCH (n) RETURN n",
    "USE diff(1, 2) MATCH (n) RETURN n",
    "AT TIME '9999-12-31' MATCH (n) RETURN n",
    "CREATE (n) RETURN n",
    "MATCH (n) DETACH DELETE n",
    "LOAD CSV FROM 'http://example.com' AS row RETURN row",
    "CALL apoc.load.json('http://example.com')",
    "CALL { MATCH (n) RETURN n } IN TRANSACTIONS RETURN n",
];

/// Texts that are made: name and query.
fn made() -> Vec<(String, String)> {
    let repeat = |head: &str, part: &str, n: usize, tail: &str| format!("{head}{}{tail}", part.repeat(n));
    let nested = |open: &str, inner: &str, close: &str, n: usize| {
        format!("RETURN {}{inner}{} AS x", open.repeat(n), close.repeat(n))
    };
    let mut out: Vec<(&str, String)> = vec![
        ("or chain", repeat("MATCH (n) WHERE false", " OR n.count = 99", 3000, " RETURN n")),
        ("and chain", repeat("MATCH (n) WHERE true", " AND n.count < 99", 3000, " RETURN n")),
        ("plus chain", repeat("RETURN 1", " + 1", 15_000, " AS x")),
        ("not chain", repeat("RETURN ", "NOT ", 10_000, "true AS x")),
        ("minus chain", repeat("RETURN ", "- ", 20_000, "1 AS x")),
        ("comparison chain", repeat("RETURN 1", " < 2", 10_000, " AS x")),
        ("dots", repeat("MATCH (n) RETURN n", ".a", 20_000, " AS x")),
        ("indexes", repeat("RETURN [1]", "[0]", 15_000, " AS x")),
        ("labels", repeat("MATCH (n:identity", "|identity", 5_000, ") RETURN n")),
        ("label negations", repeat("MATCH (n:", "!", 40_000, "identity) RETURN n")),
        ("patterns", repeat("MATCH (a)", ", (a)", 200, " RETURN a")),
        ("clauses", repeat("MATCH (a) ", "WITH a ", 5_000, "RETURN a")),
        ("unions", repeat("RETURN 1 AS x", " UNION RETURN 1 AS x", 2_000, "")),
        ("columns", repeat("RETURN 1 AS a", ", 1 AS `b`", 3_000, "")),
        ("case arms", repeat("RETURN CASE 5", " WHEN 1 THEN 2", 3_000, " ELSE 3 END AS x")),
        ("hops", repeat("MATCH (a)", "-->()", 5_000, " RETURN a")),
        ("quantified hops", repeat("MATCH (a)", "-[]->{1,50}()", 200, " RETURN count(*) AS n")),
        ("long name", format!("RETURN 1 AS {}", "n".repeat(60_000))),
        ("long text", format!("RETURN '{}' AS x", "x".repeat(60_000))),
        ("too long", "x".repeat(70_000)),
        ("a comparison in a comparison", nested("(1 < (", "1", ") < 1)", 28)),
        ("parentheses", nested("(", "1", ")", 5_000)),
        ("lists", nested("[", "1", "]", 5_000)),
        ("calls", nested("size(", "'x'", ")", 3_000)),
        ("comprehensions", nested("[x IN ", "[1]", " | x]", 60)),
        (
            "exists in exists",
            format!("MATCH (a) WHERE {}true{} RETURN a", "EXISTS { MATCH (a)-->(a) WHERE ".repeat(25), " }".repeat(25)),
        ),
    ];
    let mut list = String::from("UNWIND range(1, 100000) AS x RETURN sum(CASE WHEN x IN [");
    for i in 0..8_000 {
        let _ = write!(list, "{i},");
    }
    list += "8000] THEN 1 ELSE 0 END) AS n";
    out.push(("IN a long list", list));
    out.into_iter().map(|(n, q)| (n.to_owned(), q)).collect()
}

/// All queries: name, graph, text.
#[must_use]
pub fn queries() -> Vec<(String, &'static str, String)> {
    let mut out = Vec::new();
    for graph in ["k20", "hub", "chain", "grid"] {
        out.extend(PATHS.iter().map(|q| (format!("{graph}: {q}"), graph, (*q).to_owned())));
    }
    out.extend(VALUES.iter().map(|q| ((*q).to_owned(), "none", (*q).to_owned())));
    out.extend(made().into_iter().map(|(n, q)| (n, "none", q)));
    out
}

/// Bytes of a line of `/proc/self/status`, where there is one.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|l| l.starts_with(name)).unwrap_or("");
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Runs all of them.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "what is measured is time")]
pub fn run() -> Vec<Outcome> {
    let graphs = graphs();
    let mut out = Vec::new();
    for (name, graph, text) in queries() {
        let snapshot = &graphs.iter().find(|(n, _)| *n == graph).unwrap().1;
        // The most that was used is forgotten; what is measured is this query's.
        let _ = std::fs::write("/proc/self/clear_refs", "5");
        let before = status("VmRSS");
        let start = Instant::now();
        let stop = || (start.elapsed() > TIME).then_some(Stop::Timeout);
        let budget =
            Budget { max_work: None, max_rows: 1_000_000, max_memory: MEMORY, stop: Some(&stop), ..Budget::default() };
        let options = RunOptions { budget, ..RunOptions::default() };
        let end = match answer(snapshot, &text, &options) {
            Ok(rows) => format!("{rows} rows"),
            Err(e) => e.code().text().to_owned(),
        };
        let overshoot = start.elapsed().saturating_sub(TIME);
        let memory = status("VmHWM").saturating_sub(before);
        out.push(Outcome { name: name.chars().take(100).collect(), end, overshoot, memory });
    }
    out
}

fn answer(s: &Snapshot, text: &str, options: &RunOptions<'_>) -> Result<usize, QueryError> {
    let prepared = Query::parse(text)?.prepare(s, &CheckOptions::default())?;
    Ok(prepared.run(s, options)?.rows.len())
}

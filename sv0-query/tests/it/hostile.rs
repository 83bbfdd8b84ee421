//! Texts that are made to hurt a parser, and queries that are made to hurt a host. Each ends; what reads a part twice at
//! each level, or never looks at the clock, would not.

use std::cell::Cell;

use sv0_graph::{GraphBatch, NodeInput, NodeKey, NodeType, Schema, Snapshot, Store};
use sv0_query::{Budget, CheckOptions, Code, MAX_TEXT, Query, RunOptions, Stop};

/// `open` n times, `core`, `close` n times.
fn nest(open: &str, core: &str, close: &str, n: usize) -> String {
    format!("{}{core}{}", open.repeat(n), close.repeat(n))
}

/// Parses and checks; the error's code.
fn check(text: &str) -> Option<Code> {
    assert!(text.len() <= MAX_TEXT, "{}", &text[..60]);
    if std::env::var_os("SV0_SHOW").is_some() {
        println!("{}…", text.chars().take(70).collect::<String>());
    }
    // As small a stack as any host's thread has.
    let text = text.to_owned();
    let run = move || {
        let done = Query::parse(&text).and_then(|q| q.check(&Schema::canonical(), &|_| true, &CheckOptions::default()));
        done.err().map(|e| e.diagnostics[0].code)
    };
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap()
}

#[test]
fn nested_texts_end_whole_and_cut() {
    // What opens, what stands inside, what closes, how many brackets a level has.
    let families = [
        ("[a IN ", "[1]", ", 2]", 1),
        ("any(x IN ", "[1]", ", 2)", 1),
        ("any(x IN [1] WHERE ", "true", ")", 1),
        ("(a)-[b WHERE ", "true", "]->(c)", 1),
        ("(a)- [b WHERE ", "true", "]->(c)", 1),
        ("(a)<-[b WHERE ", "true", "]-(c)", 1),
        ("(a WHERE ", "true", ")-->(b)", 1),
        ("(a {name: ", "'x'", "})-->(b)", 2),
        ("COUNT { (a WHERE 1 < ", "1", ") }", 2),
        ("EXISTS { (a WHERE ", "true", ") }", 2),
        ("EXISTS { MATCH (a) WHERE ", "true", " }", 1),
        ("exists((a WHERE ", "true", ")-->())", 2),
        ("VALUE { MATCH (a) RETURN ", "1", " AS x }", 1),
        ("a[", "0", "]", 1),
        ("a[0..", "1", "]", 1),
        ("a[..", "1", "]", 1),
        ("(", "1", ")", 1),
        ("[x IN [1] | ", "1", "]", 1),
        ("[x IN [1] WHERE ", "true", "]", 1),
        ("[", "1", "]", 1),
        ("coalesce(", "1", ")", 1),
        ("CAST(", "1", " AS STRING)", 1),
        ("CASE WHEN true THEN ", "1", " END", 1),
        ("CASE 1 WHEN ", "1", " THEN 2 END", 1),
        ("a:(", "identity", ")", 1),
        ("NOT (", "true", ")", 1),
        ("- (", "1", ")", 1),
    ];
    for (open, core, close, brackets) in families {
        let n = 62 / brackets;
        for cut in 0..4 {
            let whole = nest(open, core, close, n);
            let inner = match cut {
                0 => whole,
                1 => open.repeat(n),
                2 => format!("{}{core}", open.repeat(n)),
                _ => format!("{}{core}{} ]", open.repeat(n), close.repeat(n - 1)),
            };
            check(&format!("MATCH (a) WHERE {inner} RETURN a"));
            check(&format!("RETURN {inner} AS x"));
        }
    }
    for (open, core, close, n) in [
        ("(", "(a)", ")", 60),
        ("((a) | ", "(a)", ")", 30),
        ("((a)-->(b) WHERE true | ", "(a)", "){1,2}", 30),
        ("(a {name: EXISTS { ", "(b)", " }})", 20),
    ] {
        check(&format!("MATCH {} RETURN 1 AS x", nest(open, core, close, n)));
        check(&format!("MATCH {}", open.repeat(n)));
    }
}

#[test]
fn what_is_copied_counts() {
    // What stands before a NEXT goes into each part behind it, and again within a CALL.
    let mut q = "RETURN 1 AS x".to_owned();
    for _ in 0..5 {
        q = format!("CALL {{ {q} }} RETURN x NEXT RETURN x{}", " UNION RETURN x".repeat(63));
    }
    assert_eq!(check(&q), Some(Code::Syntax));
    // The middle of a comparison stands in two, patterns and all.
    let pattern = format!("(){}", "--()".repeat(8000));
    let q = (0..12).fold(format!("COUNT {{ {pattern} }}"), |q, _| format!("(1 < {q} < 1)"));
    assert_eq!(check(&format!("RETURN {q} AS x")), Some(Code::Syntax));
    // Labels are as deep as they are long.
    let deep = (0..60).fold("a".to_owned(), |l, _| format!("({l}{})", "&a".repeat(250)));
    assert_eq!(check(&format!("MATCH (n:{deep}) RETURN n")), Some(Code::Syntax));
    assert_eq!(check(&format!("MATCH (n) WHERE n:{deep} RETURN n")), Some(Code::Syntax));
    // A value that is asked again and again isn't copied each time.
    let q = format!("RETURN [{}1]{} AS x", "1, ".repeat(20_000), " IS TRUE".repeat(200));
    assert!(check(&q).is_none_or(|c| c != Code::Syntax));
}

#[test]
fn clauses_in_queries_in_queries_fit_the_stack() {
    // Each clause of each level is a few calls deep in the executor.
    let mut q = "RETURN 1 AS x".to_owned();
    for _ in 0..16 {
        let more = format!("{}FILTER EXISTS {{ {q} }} RETURN 1 AS x", "LET a = 1 WITH 1 AS b ".repeat(40));
        if check(&more).is_some() {
            break;
        }
        q = more;
    }
    let run = std::thread::Builder::new().stack_size(2 << 20).spawn(move || run(&nodes(1), &q, Budget::default()));
    assert_eq!(run.unwrap().join().unwrap(), Ok(1));
}

#[test]
fn long_chains_end_in_an_answer_or_an_error() {
    let chains = [
        ("RETURN 1", "+1", " AS x"),
        ("RETURN 1", "*1", " AS x"),
        ("RETURN 1", "<1", " AS x"),
        ("MATCH (a) RETURN a", ".a", " AS x"),
        ("MATCH (a) RETURN a", "[0]", " AS x"),
        ("MATCH (a) RETURN 1", " IS NULL", " AS x"),
        ("MATCH (a) WHERE a", ":identity", " RETURN a"),
        ("RETURN 1 AS x", " UNION RETURN 1 AS x", ""),
        ("RETURN 1 AS x", " NEXT RETURN x", ""),
        ("MATCH (a)", " MATCH (a)", " RETURN a"),
        ("MATCH (a)", "-->(a)", " RETURN 1 AS x"),
        ("MATCH (a)(-->(b)", "|-->(b)", ")(c) RETURN 1 AS x"),
        ("MATCH (a:identity", "|identity", ") RETURN a"),
        ("MATCH (a:", "!", "identity) RETURN a"),
        ("RETURN ", "NOT ", "true AS x"),
        ("RETURN ", "- ", "1 AS x"),
        ("RETURN ", "CASE ", "1 AS x"),
        ("RETURN [1", ",1", "] AS x"),
    ];
    for (head, link, tail) in chains {
        let n = (MAX_TEXT - head.len() - tail.len()) / link.len();
        check(&format!("{head}{}{tail}", link.repeat(n)));
    }
    // Brackets and chains together are as deep as both.
    let deep = nest("(", "1", &format!("{})", "+1".repeat(200)), 60);
    assert_eq!(check(&format!("RETURN {deep} AS x")), Some(Code::Syntax));
    // What is merely long works.
    let long = vec!["a.name = 'x'"; 4000].join(" OR ");
    assert_eq!(check(&format!("MATCH (a:identity) WHERE {long} RETURN a")), None);
    assert_eq!(check(&format!("RETURN 1{} AS x", "+1".repeat(200))), None);
}

fn nodes(n: usize) -> Snapshot {
    let mut b = GraphBatch::new("t", 0);
    b.nodes.extend((0..n).map(|i| NodeInput::new(NodeKey::new("t", format!("{i}")), NodeType::Identity, "k")));
    let mut store = Store::in_memory(Schema::canonical()).unwrap();
    let mut t = store.begin().unwrap();
    t.stage(vec![b]).unwrap();
    t.commit("c").unwrap().snapshot
}

fn run(s: &Snapshot, text: &str, budget: Budget<'_>) -> Result<usize, Code> {
    let q = Query::parse(text).unwrap().prepare(s, &CheckOptions::default()).unwrap();
    let done = q.run(s, &RunOptions { budget, ..RunOptions::default() });
    done.map(|r| r.rows.len()).map_err(|e| e.diagnostics[0].code)
}

#[test]
fn whatever_takes_long_looks_at_the_clock() {
    let s = nodes(300);
    for text in [
        "UNWIND range(1, 1000000) AS a UNWIND range(1, 1000000) AS b RETURN count(*) AS n",
        "MATCH (a), (b), (c), (d), (e) RETURN count(*) AS n",
        "RETURN any(x IN range(1, 100000) WHERE any(y IN range(1, 100000) WHERE x + y < 0)) AS n",
        "RETURN size([x IN range(1, 100000) WHERE none(y IN range(1, 100000) WHERE x = y)]) AS n",
        "UNWIND range(1, 1000000) AS a WITH a WHERE a IN range(1, 1000000) AND a < 0 RETURN a",
        "MATCH (a) WHERE EXISTS { MATCH (b), (c), (d), (e) WHERE b.name = 'x' } RETURN a",
    ] {
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            (asked.get() > 3).then_some(Stop::Timeout)
        };
        let budget = Budget { stop: Some(&stop), ..Budget::default() };
        assert_eq!(run(&s, text, budget), Err(Code::Timeout), "{text}");
    }
}

#[test]
fn no_value_outgrows_the_memory_budget() {
    let s = nodes(1);
    let mut doubled = "'aaaaaaaaaaaaaaaa'".to_owned();
    let mut joined = "'aaaaaaaaaaaaaaaa'".to_owned();
    for _ in 0..7 {
        doubled = format!("replace({doubled}, 'a', 'aaaaaaaaaaaaaaaa')");
        joined = format!("({joined} || {joined})");
    }
    let again: String = (0..24).map(|i| format!("LET s{} = s{i} || s{i} ", i + 1)).collect();
    for text in [
        "RETURN size([x IN range(1, 1000000) | range(1, 100000)]) AS n".to_owned(),
        "RETURN size([x IN range(1, 1000) | [y IN range(1, 1000) | [z IN range(1, 1000) | x]]]) AS n".to_owned(),
        format!("RETURN size({doubled}) AS n"),
        format!("LET s0 = 'aaaaaaaaaaaaaaaa' {again}RETURN size(s24) AS n"),
        format!("RETURN size(split({joined} || replace({joined}, 'a', '{}'), '')) AS n", "b".repeat(900)),
        "UNWIND range(1, 1000000) AS a RETURN collect([a, a, a, a, a, a, a, a]) AS n".to_owned(),
    ] {
        let budget = Budget { max_memory: 64 << 20, ..Budget::default() };
        assert_eq!(run(&s, &text, budget), Err(Code::MemoryBudget), "{}", text.chars().take(90).collect::<String>());
    }
    // What fits is made.
    let budget = Budget { max_memory: 64 << 20, ..Budget::default() };
    let text = format!("RETURN size({joined}) AS n, size(range(5, 1)) AS e, size([x IN range(1, 1000) | x]) AS l");
    assert_eq!(run(&s, &text, budget), Ok(1));
}

//! Random small graphs and random queries over them. One seed, one pair.

use serde_json::{Value as Json, json};

/// A small, fast, seeded generator (splitmix64).
#[derive(Debug, Clone)]
pub struct Rng(u64);

impl Rng {
    /// From a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    /// Below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    /// True once in `n`.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of them.
    pub fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const EDGES: &[(&str, &[&str], &[&str])] = &[
    ("CAN_ASSUME", &["identity", "owner", "automation"], &["identity"]),
    ("SAME_AS", &["identity"], &["identity"]),
    ("INSTANCE_OF", &["identity"], &["identity"]),
    ("MEMBER_OF", &["identity", "role"], &["role"]),
    ("HAS_ROLE", &["identity", "role"], &["role"]),
    ("RUNS_AS", &["automation"], &["identity"]),
    ("INVOKES", &["automation"], &["automation"]),
    ("CONTAINS", &["resource"], &["resource", "identity"]),
    ("OWNED_BY", &["identity", "automation"], &["owner", "identity"]),
    ("CAN_ACCESS", &["identity"], &["resource"]),
];

/// A graph in the fixtures' form: self-loops, parallel edges, nulls, tags.
pub fn graph(r: &mut Rng) -> Json {
    let types = ["identity", "identity", "identity", "role", "resource", "automation", "owner"];
    let n = 2 + r.below(7);
    let mut nodes = Vec::new();
    let mut by_type: Vec<(String, &str)> = Vec::new();
    for i in 0..n {
        let ty = r.pick(&types);
        let mut props = serde_json::Map::new();
        if !r.one_in(3) {
            props.insert("status".into(), json!(r.pick(&["active", "disabled"])));
        }
        if !r.one_in(3) {
            props.insert("count".into(), json!(r.below(4)));
        }
        if r.one_in(3) {
            props.insert(
                "tags".into(),
                if r.one_in(2) { json!(["tier_zero"]) } else { json!(["tier_zero", "external"]) },
            );
        }
        let kind = if r.one_in(2) { "aws.role" } else { "entra.service_principal" };
        nodes.push(json!({"id": format!("n{i}"), "type": ty, "kind": kind, "props": props}));
        by_type.push((format!("n{i}"), ty));
    }
    let mut edges: Vec<Json> = Vec::new();
    for i in 0..r.below(13) {
        let (ty, from, to) = EDGES[r.below(EDGES.len())];
        let ends = |types: &[&str]| -> Vec<&String> {
            by_type.iter().filter(|(_, t)| types.contains(t)).map(|(i, _)| i).collect()
        };
        let (f, t) = (ends(from), ends(to));
        if f.is_empty() || t.is_empty() {
            continue;
        }
        let state = r.pick(&["unconditional", "unconditional", "conditional", "latent"]);
        // Parallel edges are told apart by their key.
        edges.push(json!({"type": ty, "from": f[r.below(f.len())], "to": t[r.below(t.len())], "key": format!("k{i}"), "state": state}));
    }
    json!({"nodes": nodes, "edges": edges})
}

fn node(r: &mut Rng, var: &str) -> String {
    let label = match r.below(8) {
        0 => ":identity",
        1 => ":resource",
        2 => ":identity|role",
        3 => ":!role",
        4 => ":tier_zero",
        5 => ":identity&!tier_zero",
        6 => ":`aws.role`",
        _ => "",
    };
    let rest = match r.below(8) {
        0 => " {status: 'active'}",
        1 => &format!(" WHERE {var}.count > 1"),
        2 if !label.is_empty() => &format!(" WHERE {var}.status IS NULL OR {var}.count = 2"),
        _ => "",
    };
    format!("({var}{label}{rest})")
}

/// A parenthesised sub-path; the names of its variables, lists where it is repeated.
fn group(r: &mut Rng, fresh: &mut usize, bounded: bool) -> (String, Vec<String>, bool) {
    let mut name = |p: &str| {
        *fresh += 1;
        format!("{p}{fresh}")
    };
    let (a, e, b) = (name("g"), name("h"), name("g"));
    let types = r.pick(&["", ":CAN_ASSUME", ":authority", ":CAN_ASSUME|HAS_ROLE|MEMBER_OF"]);
    match r.below(4) {
        0 => {
            let f = name("h");
            // Either of two ways.
            (format!("(({a})-[{e}{types}]->({b}) | ({a})<-[{f}:SAME_AS|INVOKES]-({b}))"), vec![], false)
        }
        1 => (format!("(-[{e}{types}]->({b}))?"), vec![b, e], false),
        k => {
            let filter = match r.below(3) {
                0 => format!(" WHERE {b}.status = 'active' OR {a}.count > 0"),
                _ => String::new(),
            };
            let more = if k == 2 && r.one_in(2) {
                let (f, c) = (name("h"), name("g"));
                format!("-[{f}]->({c})")
            } else {
                String::new()
            };
            let q =
                if bounded { r.pick(&["{1,2}", "{0,2}", "{2}"]) } else { r.pick(&["{1,2}", "{0,2}", "+", "*", "{2}"]) };
            (format!("(({a})-[{e}{types}]->({b}){more}{filter}){q}"), vec![b, e], true)
        }
    }
}

fn edge(r: &mut Rng, var: &str, quantified: bool, bounded: bool) -> String {
    let label = match r.below(9) {
        0 => ":CAN_ASSUME",
        1 => ":CAN_ASSUME|SAME_AS|INSTANCE_OF",
        2 => ":authority",
        3 => ":!CAN_ASSUME",
        4 => ":authority|hierarchy",
        5 => ":HAS_ROLE|MEMBER_OF|INVOKES",
        6 => ":governance|CAN_ACCESS",
        _ => "",
    };
    let filter = if r.one_in(5) { format!(" WHERE {var}.state <> 'latent'") } else { String::new() };
    let body = format!("[{var}{label}{filter}]");
    let arrow = match r.below(6) {
        0 => format!("<-{body}-"),
        1 => format!("-{body}-"),
        _ => format!("-{body}->"),
    };
    if !quantified {
        return arrow;
    }
    let q = if bounded {
        r.pick(&["{1,2}", "{0,2}", "{2}", "{1,3}", "{2,3}", "{1,4}"])
    } else {
        r.pick(&["{1,2}", "{0,2}", "{2}", "{1,3}", "+", "*", "{2,3}", "?"])
    };
    format!("{arrow}{q}")
}

/// A query in text.
pub fn query(r: &mut Rng) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut lists: Vec<String> = Vec::new();
    let mut path = false;
    let mut out = String::new();
    let clauses = 1 + r.below(2);
    let mut fresh = 0;
    for c in 0..clauses {
        let optional = c > 0 && r.one_in(2);
        out += if optional { "OPTIONAL MATCH " } else { "MATCH " };
        let repeatable = r.one_in(8);
        if repeatable {
            out += "REPEATABLE ELEMENTS ";
        }
        let selector = if r.one_in(3) {
            r.pick(&["ANY SHORTEST ", "ALL SHORTEST ", "SHORTEST 2 ", "ANY ", "SHORTEST 3 ", "ANY 2 ", "SHORTEST 1 "])
        } else if r.one_in(12) {
            "GROUPS "
        } else {
            ""
        };
        let mode = if r.one_in(4) { r.pick(&["TRAIL ", "ACYCLIC ", "SIMPLE ", "WALK "]) } else { "" };
        // The reference lists walks one by one: they have to end.
        let bounded = mode == "WALK " || repeatable && mode.is_empty();
        let patterns = if selector.is_empty() && r.one_in(4) { 2 } else { 1 };
        let mut quantifiers = 0;
        for p in 0..patterns {
            if p > 0 {
                out += ", ";
            }
            if !path && p == 0 && r.one_in(3) {
                out += "p = ";
                path = true;
            }
            out +=
                &if selector == "GROUPS " { format!("SHORTEST 2 {mode}GROUPS ") } else { format!("{selector}{mode}") };
            let hops = 1 + r.below(2);
            for h in 0..=hops {
                let again = !names.is_empty() && r.one_in(3);
                let v = if again { names[r.below(names.len())].clone() } else { format!("v{fresh}") };
                if again {
                    // A name that stands already: no second filter, the join is the point.
                    out += &format!("({v})");
                } else {
                    fresh += 1;
                    out += &node(r, &v);
                    names.push(v);
                }
                if h < hops {
                    let e = format!("e{fresh}");
                    fresh += 1;
                    if quantifiers == 0 && r.one_in(6) {
                        quantifiers += 1;
                        let (text, inner, repeated) = group(r, &mut fresh, bounded);
                        out += &format!(" {text} ");
                        if repeated {
                            lists.extend(inner);
                        }
                        continue;
                    }
                    let q = quantifiers == 0 && r.one_in(2);
                    quantifiers += usize::from(q);
                    let text = edge(r, &e, q, bounded);
                    let single = text.ends_with('?');
                    out += &text;
                    if single {
                        out.push(' ');
                    } else if q {
                        lists.push(e);
                    }
                }
            }
        }
        if r.one_in(3) {
            let v = &names[r.below(names.len())];
            let w = &names[r.below(names.len())];
            let e = &lists.last().cloned();
            out += " WHERE ";
            out += &match r.below(7) {
                0 => format!("{v}.status = {w}.status"),
                1 => format!("{v}.count >= {w}.count OR {v}.status IS NULL"),
                2 => format!("NOT EXISTS {{ MATCH ({v})-[:OWNED_BY]->(:owner) }}"),
                3 => format!("EXISTS {{ ({v})-[:authority]->{{1,2}}(:identity|role) }}"),
                4 => format!("{v}.id IN ['n0', 'n1', 'n2']"),
                5 => match e {
                    Some(e) => format!("SIZE({e}) > 1"),
                    None => format!("{v}:identity"),
                },
                _ => format!("COUNT {{ ({v})--() }} > 1"),
            };
        }
        out += " ";
    }
    let v = names[r.below(names.len())].clone();
    let w = names[r.below(names.len())].clone();
    match r.below(12) {
        0 => {
            out += &format!(
                "OPTIONAL {{ MATCH ({v})-[:authority]->(oa) MATCH (oa)-[ob]->(oc) }} RETURN {v}.id AS a, oc.id AS c"
            )
        }
        1 => {
            out += &format!(
                "CALL ({v}) {{ MATCH ({v})-[ca]->(cb) RETURN cb.status AS cs, count(*) AS cn }} RETURN {v}.id AS a, cs, cn"
            )
        }
        2 => {
            out += &format!(
                "OPTIONAL CALL ({v}) {{ MATCH ({v})<-[ca:authority]-(cb) RETURN cb.id AS cs }} RETURN {v}.id AS a, cs"
            )
        }
        3 => out += &format!("FOR x IN [1, 2, {v}.count] RETURN {w}.id AS a, x"),
        4 => out += &format!("RETURN DISTINCT {v}.id AS a UNION MATCH (z:identity) RETURN z.id AS a"),
        5 => out += &format!("RETURN {v}.id AS a EXCEPT MATCH (z:role) RETURN z.id AS a"),
        6 => out += &format!("RETURN {v}.status AS s, count(*) AS n NEXT FILTER n > 1 RETURN s, n"),
        _ => {}
    }
    if out.contains("RETURN") {
        return out;
    }
    out += &match r.below(7) {
        0 => format!("RETURN DISTINCT {v}.id AS a, {w}.id AS b"),
        1 => format!("RETURN {v}.status AS s, count(*) AS n, count(DISTINCT {w}) AS d"),
        2 => format!("RETURN {v}.id AS a, collect({w}.id) AS l"),
        3 => format!("WITH {v} AS x, count(*) AS n WHERE n > 1 RETURN x.id AS a, n"),
        4 if path => "RETURN PATH_LENGTH(p) AS l, p".to_owned(),
        5 => match lists.last() {
            Some(e) => format!("RETURN {v}.id AS a, {e} AS e, SIZE({e}) AS n"),
            None => format!("RETURN {v} AS a, {w} AS b"),
        },
        _ => format!("RETURN {v} AS a, {w}.count AS c ORDER BY c DESC, a"),
    };
    out
}

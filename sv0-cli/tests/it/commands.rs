//! Each command does its job on the sample's store.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value as Json;

use crate::{root, sv0, text};

fn store() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let p = dir.path().join("acme.sv0").to_str().unwrap().to_owned();
    let o = sv0(&["ingest", "samples/acme", "--store", &p, "--format", "json"]);
    assert!(o.status.success(), "{}", text(&o.stderr));
    let doc: Json = serde_json::from_slice(&o.stdout).unwrap();
    assert_eq!(doc["snapshots"].as_array().unwrap().len(), 2);
    (dir, p)
}

#[test]
fn query_in_all_formats_and_with_errors_drawn() {
    let (_dir, s) = store();
    let q = "MATCH (i:identity {id: $id}) RETURN i.name AS name, i.last_seen AS seen, i";
    let run = |f: &str| sv0(&["query", &s, q, "--param", "id=sp-legacy-etl", "--format", f]);
    let doc: Json = serde_json::from_slice(&run("json").stdout).unwrap();
    assert_eq!(doc["columns"][1]["name"], "seen");
    assert_eq!(doc["rows"][0][2]["key"]["id"], "sp-legacy-etl");
    assert!(doc["rows"][0][2]["labels"].as_array().unwrap().contains(&"identity".into()));
    assert_eq!(text(&run("ndjson").stdout).lines().count(), 1);
    assert!(text(&run("csv").stdout).starts_with("name,seen,i\r\n"));
    assert!(text(&run("table").stdout).contains("1 row"));
    let o = sv0(&["query", &s, "MATCH (i:identiti) RETURN i.naem"]);
    assert_eq!(o.status.code(), Some(2));
    let err = text(&o.stderr);
    for part in ["SV-Q200", "unknown label `identiti`", "^", "did you mean `identity`"] {
        assert!(err.contains(part), "{part}\n---\n{err}");
    }
    let o = sv0(&["query", &s, "MATCH (a)-[e]->{1,30}(b) RETURN count(*) AS n", "--max-work", "1000"]);
    assert_eq!(o.status.code(), Some(3));
    assert!(text(&o.stderr).contains("SV-Q420"), "{}", text(&o.stderr));
    let at = |n: &str| {
        let o = sv0(&["query", &s, "MATCH (n) RETURN count(*) AS n", "--at", n]);
        let doc: Json = serde_json::from_slice(&o.stdout).unwrap();
        doc["rows"][0][0].as_i64().unwrap()
    };
    assert_eq!(at("1"), at("2026-05-01"));
    assert_eq!(sv0(&["query", &s, "RETURN 1 AS x", "--at", "2019-01-01"]).status.code(), Some(2));
}

#[test]
fn batch_shell() {
    let (_dir, s) = store();
    let mut child = Command::new(env!("CARGO_BIN_EXE_sv0"))
        .args(["shell", &s])
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = ":param id = \"sp-legacy-etl\"\nMATCH (i:identity\n{id: $id}) RETURN i.name AS n;\nRETURN 1 +\nRETURN 2 AS two\nMATCH (x:nope) RETURN x\n:param\n:at 1\nMATCH (n:identity) RETURN count(*) AS n\n:bogus\n:param a = 1\n:param ab = 2\nRETURN $ab AS x\nEXPLAIN RETURN 1 AS x\n";
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let o = child.wait_with_output().unwrap();
    let lines: Vec<Json> = text(&o.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines[0]["rows"].as_array().unwrap().len(), 1);
    // An unfinished line takes the next, unless that stands alone.
    assert_eq!(lines[1]["error"]["code"], "SV-Q100");
    assert_eq!(lines[2]["rows"], serde_json::json!([[2]]));
    assert_eq!(lines[3]["error"]["code"], "SV-Q200");
    assert_eq!(lines[4]["rows"].as_array().unwrap().len(), 1);
    assert_eq!(lines[5]["error"]["code"], "SV-C100");
    // A parameter whose name only begins like the one that is asked for isn't superfluous.
    assert_eq!(lines[6]["rows"], serde_json::json!([[2]]));
    assert_eq!(lines[7]["columns"][0]["name"], "plan");
    assert_eq!(lines.len(), 8);
}

#[test]
fn can_and_who_can() {
    let (_dir, s) = store();
    let role = "arn:aws:iam::111122223333:role/platform-admin";
    let o = sv0(&["can", &s, "deploy-bot", "iam:PassRole", role, "--format", "json"]);
    assert!(o.status.success(), "{}", text(&o.stderr));
    let doc: Json = serde_json::from_slice(&o.stdout).unwrap();
    assert_eq!(doc["decision"], "allowed");
    assert!(!doc["by"].as_array().unwrap().is_empty());
    let o = sv0(&["can", &s, "build-bot", "iam:PassRole", role, "--format", "table"]);
    assert_eq!(o.status.code(), Some(1));
    assert!(text(&o.stdout).starts_with("denied_implicit"));
    let o = sv0(&["can", &s, "nobody", "iam:PassRole"]);
    assert_eq!(o.status.code(), Some(2));
    let o = sv0(&["who-can", &s, "iam:CreateUser", "--format", "json"]);
    let doc: Json = serde_json::from_slice(&o.stdout).unwrap();
    let who: Vec<(&str, bool)> = doc["identities"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| (i["identity"].as_str().unwrap(), i["via"].is_null()))
        .collect();
    assert!(who.iter().any(|(w, direct)| w.ends_with("platform-admin") && *direct), "{who:?}");
    assert!(who.iter().any(|(w, direct)| w.ends_with("deploy-bot") && !direct), "{who:?}");
}

#[test]
fn policies_given_by_hand() {
    let dir = tempfile::tempdir().unwrap();
    let cases = dir.path().join("cases.ndjson");
    let allow = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::b/*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}}"#;
    let case = |id: &str, context: &str, complete: bool, extra: &str| {
        format!(
            r#"{{"id":"{id}","principal":"arn:aws:iam::1:user/u","principal_account":"1","action":"s3:GetObject","resource":"arn:aws:s3:::b/k","resource_account":"1","context":{context},"identity_policies":[{allow}{extra}],"context_complete":{complete}}}"#
        )
    };
    let deny = r#",{"Statement":[{"Effect":"Deny","NotAction":"iam:*","Resource":"*"}]}"#;
    let lines = [
        case("in", r#"{"aws:SourceIp":"10.1.2.3"}"#, true, ""),
        case("out", r#"{"aws:SourceIp":"11.1.2.3"}"#, true, ""),
        case("unknown", "{}", false, ""),
        case("absent", "{}", true, ""),
        case("denied", r#"{"aws:SourceIp":"10.1.2.3"}"#, true, deny),
    ];
    std::fs::write(&cases, lines.join("\n")).unwrap();
    let o = sv0(&["can", "--policies", cases.to_str().unwrap()]);
    let got: Vec<Json> = text(&o.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let decisions: Vec<&str> = got.iter().map(|g| g["decision"].as_str().unwrap()).collect();
    assert_eq!(decisions, ["allowed", "denied_implicit", "conditional", "denied_implicit", "denied_explicit"]);
    assert_eq!(got[2]["condition"], "aws:SourceIp IpAddress 10.0.0.0/8");
    assert_eq!(got[4]["by"][0]["document"], "identity_policies/1");
}

#[test]
fn info_verify_schema_completions_man() {
    let (_dir, s) = store();
    let doc: Json = serde_json::from_slice(&sv0(&["info", &s, "--format", "json"]).stdout).unwrap();
    assert_eq!(doc["snapshot"], 2);
    assert!(doc["sections"]["adjacency_out"]["bytes"].as_u64().unwrap() > 0);
    let mut bytes = std::fs::read(&s).unwrap();
    let at = bytes.len() - 9000;
    bytes[at] ^= 1;
    let bad = format!("{s}.bad");
    std::fs::write(&bad, bytes).unwrap();
    assert_eq!(sv0(&["verify", &bad]).status.code(), Some(1));
    assert!(text(&sv0(&["schema"]).stdout).contains("RUNS_AS"));
    let schema: Json = serde_json::from_slice(&sv0(&["schema", "--format", "json-schema"]).stdout).unwrap();
    assert!(schema["oneOf"].as_array().unwrap().len() == 3);
    assert!(text(&sv0(&["completions", "bash"]).stdout).contains("_sv0"));
    let man = text(&sv0(&["man"]).stdout);
    assert!(man.contains(".SH SV0 ASSESS") && man.contains("fail\\-on"));
    for c in ["assess", "ingest", "check", "query", "shell", "schema", "can", "who-can", "info", "verify"] {
        assert!(text(&sv0(&[c, "--help"]).stdout).contains("Example"), "{c}");
    }
    let o = sv0(&["rules", "test", "--format", "json"]);
    assert!(o.status.success(), "{}", text(&o.stdout));
    assert!(sv0(&["rules", "lint"]).status.success());
    assert!(text(&sv0(&["rules", "list", "--format", "table"]).stdout).contains("orphaned-automation"));
    assert!(text(&sv0(&["rules", "show", "scope-drift", "--format", "table"]).stdout).contains("$$baseline"));
}

#[test]
fn diff_says_what_changed_and_compact_drops_what_is_told() {
    let (_dir, s) = store();
    let o = sv0(&["diff", &s, "1", "--format", "json"]);
    assert!(o.status.success(), "{}", text(&o.stderr));
    let doc: Json = serde_json::from_slice(&o.stdout).unwrap();
    assert_eq!((&doc["from"]["snapshot"], &doc["to"]["snapshot"]), (&1.into(), &2.into()));
    assert!(!doc["changes"].as_object().unwrap().is_empty());
    let gained = doc["authority_gained"].as_array().unwrap();
    assert!(!gained.is_empty());
    assert!(gained.iter().all(|e| e["after"].is_string() && e["before"] != e["after"]), "{gained:?}");
    let table = text(&sv0(&["diff", &s, "1", "2", "--format", "table"]).stdout);
    assert!(table.contains("Authority gained") && table.contains("ADDED"), "{table}");
    let o = sv0(&["diff", &s, "2", "1"]);
    assert_eq!(o.status.code(), Some(2));
    assert!(text(&o.stderr).contains("name the earlier one first"));
    assert!(text(&sv0(&["diff", &s, "2", "2", "--format", "table"]).stdout).contains("Nothing changed"));
    for (keep, part) in [("newest:0", "isn't a number"), ("7", "there is no snapshot `7`")] {
        let o = sv0(&["compact", &s, "--keep", keep]);
        assert_eq!(o.status.code(), Some(2));
        assert!(text(&o.stderr).contains(part), "{}", text(&o.stderr));
    }
    let before = sv0(&["check", &s, "--format", "json"]).stdout;
    let o = sv0(&["compact", &s, "--keep", "newest:2", "--format", "json"]);
    let doc: Json = serde_json::from_slice(&o.stdout).unwrap();
    assert_eq!((&doc["kept"], &doc["dropped"]), (&2.into(), &0.into()));
    assert_eq!(text(&before), text(&sv0(&["check", &s, "--format", "json"]).stdout));
    let o = sv0(&["compact", &s, "--keep", "newest:1", "--format", "json"]);
    assert_eq!(serde_json::from_slice::<Json>(&o.stdout).unwrap()["dropped"], 1);
    assert!(sv0(&["verify", &s]).status.success());
    assert_eq!(sv0(&["compact", "/nowhere/x.sv0"]).status.code(), Some(2));
}

#[test]
fn load_reads_a_folder_of_tables() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| std::fs::write(dir.path().join(name), content).unwrap();
    write(
        "nodes_identity.csv",
        "id,name,kind,created_at\nbot,Bot,entra.service_principal,1700000000\nold,\"Old, bot\",aws.role,1600000000\n",
    );
    write("nodes_role.ndjson", "{\"id\": \"admin\", \"name\": \"Admin\"}\n");
    write("edges_HAS_ROLE__identity__role.csv", "src_id,dst_id,weight\nbot,admin,0.5\n");
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let folder = dir.path().to_str().unwrap();
    let store = path("org.sv0");
    let o = sv0(&["load", &store, folder]);
    assert_eq!(o.status.code(), Some(2));
    let err = text(&o.stderr);
    assert!(err.contains("column `weight` isn't an edge property; write in the schema file"), "{err}");
    write("schema.toml", "[node_columns.created_at]\nunit = \"s\"\n[edge_columns.weight]\ntype = \"float\"\n");
    let spec = path("schema.toml");
    assert!(!std::path::Path::new(&store).exists(), "a load that fails leaves no store");
    let one = path("nodes_identity.csv");
    for (args, part) in [
        (vec!["load", &store, &one], "say what it holds, `--nodes TYPE="),
        (vec!["load", &store, "--nodes", "identity=/nowhere.csv"], "/nowhere.csv"),
        (vec!["load", &store, folder, "--schema", &spec, "--edges", "HAS_ROLE:identity:role=twice.csv"], "twice.csv"),
    ] {
        let o = sv0(&args);
        assert_eq!(o.status.code(), Some(2));
        assert!(text(&o.stderr).contains(part), "{}", text(&o.stderr));
        assert!(!std::path::Path::new(&store).exists());
    }
    std::fs::create_dir(dir.path().join("more")).unwrap();
    write("more/bad.csv", "src_id,dst_id\nnobody,admin\n");
    let bad = format!("HAS_ROLE:identity:role={}", path("more/bad.csv"));
    let o = sv0(&["load", &store, folder, "--schema", &spec, "--edges", &bad]);
    assert!(text(&o.stderr).contains("there is no identity with the id `nobody`"), "{}", text(&o.stderr));
    assert!(!std::path::Path::new(&store).exists());
    let o = sv0(&["load", &store, folder, "--schema", &spec, "--format", "json"]);
    assert!(o.status.success(), "{}", text(&o.stderr));
    let doc: Json = serde_json::from_slice(&o.stdout).unwrap();
    assert_eq!((&doc["snapshots"][0]["nodes"], &doc["snapshots"][0]["edges"]), (&3.into(), &1.into()));
    assert_eq!(doc["snapshots"][0]["time"], "2023-11-14T22:13:20Z");
    let q = "MATCH (i:identity)-[e:HAS_ROLE]->(r) RETURN i.name AS i, e.weight AS w, r.name AS r, i.created_at AS c";
    let doc: Json = serde_json::from_slice(&sv0(&["query", &store, q]).stdout).unwrap();
    assert_eq!(doc["rows"][0], serde_json::json!(["Bot", 0.5, "Admin", "2023-11-14T22:13:20Z"]));
    let o = sv0(&["load", &store, folder, "--schema", &spec]);
    assert_eq!(o.status.code(), Some(2));
    assert!(text(&o.stderr).contains("isn't empty"), "{}", text(&o.stderr));
    assert_eq!(sv0(&["load", &path("x.sv0")]).status.code(), Some(2));
}

fn json_of(args: &[&str]) -> Json {
    let o = sv0(args);
    assert!(o.status.success(), "{args:?}: {}", text(&o.stderr));
    serde_json::from_slice(&o.stdout).unwrap()
}

#[test]
fn snapshots_and_differences_in_queries() {
    let (_dir, s) = store();
    let rows = |q: &str, more: &[&str]| {
        let mut args = vec!["query", &s, q, "--format", "json"];
        args.extend(more);
        json_of(&args)["rows"].clone()
    };
    let all = "MATCH (n) RETURN count(*) AS n";
    let first = rows(all, &["--at", "1"]);
    assert_ne!(first, rows(all, &[]));
    for head in ["AT SNAPSHOT 1", "USE snap_1", "AT TIME '2026-05-02'", "USE `2026-05-01`", "USE $$baseline"] {
        assert_eq!(rows(&format!("{head} {all}"), &[]), first, "{head}");
    }
    assert_eq!(rows(&format!("USE $$then {all}"), &["--param", "$$then=1"]), first);
    // Several snapshots in one part: a node goes over by its key; as a value of each it has that one's properties.
    let two = "AT SNAPSHOT 1 MATCH (a:identity) AT SNAPSHOT 2 MATCH (b:identity {id: a.id}) WITH count(*) AS both \
               USE snap_1 MATCH (c:identity) RETURN both, count(c) AS n";
    let kept = "MATCH (a:identity) RETURN a.id AS id INTERSECT AT SNAPSHOT 1 MATCH (a:identity) RETURN a.id AS id";
    let all_then = rows("AT SNAPSHOT 1 MATCH (c:identity) RETURN count(c) AS n", &[])[0][0].clone();
    let kept = rows(kept, &[]).as_array().unwrap().len();
    assert_eq!(rows(two, &[]), serde_json::json!([[kept, all_then]]));
    // What a difference calls added is what the later one has and the earlier hasn't.
    let added = rows("USE diff(1, 2) MATCH (n) WHERE n:added RETURN n.id AS id", &[]);
    let except = rows("MATCH (n) RETURN n.id AS id EXCEPT AT SNAPSHOT 1 MATCH (n) RETURN n.id AS id", &[]);
    let sorted = |v: &Json| {
        let mut l: Vec<String> = v.as_array().unwrap().iter().map(|r| r.to_string()).collect();
        l.sort();
        l
    };
    assert!(!sorted(&added).is_empty());
    assert_eq!(sorted(&added), sorted(&except));
    // As many edges of each type as `diff` counts.
    let counted = json_of(&["diff", &s, "1", "2", "--format", "json"]);
    for change in ["added", "removed"] {
        let q = format!("USE diff(1, 2) MATCH ()-[e:{change}]->() RETURN type(e) AS t, count(e) AS n");
        let edges = rows(&q, &[]);
        assert!(!edges.as_array().unwrap().is_empty());
        for row in edges.as_array().unwrap() {
            let ty = row[0].as_str().unwrap();
            assert_eq!(row[1], counted["changes"][ty][change], "{change} {ty}");
        }
    }
    let o = sv0(&["query", &s, "USE nothing MATCH (n) RETURN n"]);
    assert_eq!(o.status.code(), Some(2));
    assert!(text(&o.stderr).contains("SV-Q200"));
}

#[test]
fn plans_canonical_text_and_truncation() {
    let (_dir, s) = store();
    let q = "MATCH (i:identity)-[:authority*1..6]->(t:resource) RETURN DISTINCT i.id, t.id";
    let plan = text(&sv0(&["query", &s, q, "--explain"]).stdout);
    for part in ["-[:authority]->{1,6}", "reachability", "nodes of type identity"] {
        assert!(plan.contains(part), "{part}\n{plan}");
    }
    assert_eq!(json_of(&["query", &s, &format!("EXPLAIN {q}"), "--format", "json"])["columns"][0]["name"], "plan");
    let o = sv0(&["query", &s, q, "--profile", "--format", "json"]);
    assert!(o.status.success());
    assert!(text(&o.stderr).contains(" entries"), "{}", text(&o.stderr));
    let canonical =
        text(&sv0(&["query", &s, "MATCH (n:identity) WHERE toLower(n.name)='x' RETURN n", "--canonical"]).stdout);
    assert_eq!(canonical, "MATCH (n:identity) WHERE LOWER(n.name) = 'x'\nRETURN n\n");
    let cut = json_of(&["query", &s, "MATCH (n) RETURN n.id", "--max-rows", "5", "--truncate", "--format", "json"]);
    assert_eq!(cut["rows"].as_array().unwrap().len(), 5);
    assert!(cut["truncated"]["reason"].as_str().unwrap().starts_with("SV-Q422"), "{cut}");
}

#[test]
fn graphs_that_were_written_down() {
    let dir = tempfile::tempdir().unwrap();
    let p = dir.path().join("g.json").to_str().unwrap().to_owned();
    std::fs::write(
        &p,
        r#"{"nodes": [{"id": "a", "labels": ["Bot", "New"], "props": {"id": 7, "l": [1, "x"]}}, {"id": "b"}],
            "edges": [{"src": "a", "dst": "b", "type": "CALLS"}, {"src": "a", "dst": "b", "type": "CALLS"}, {"src": "b", "dst": "b", "type": "IS"}]}"#,
    )
    .unwrap();
    let rows = |q: &str| json_of(&["query", "--graph", &p, q, "--format", "json"])["rows"].clone();
    assert_eq!(
        rows("MATCH (n:Bot&New) RETURN id(n), n.id, n.l[0], labels(n)").to_string(),
        r#"[["a",7,1,["Bot","New"]]]"#
    );
    assert_eq!(rows("MATCH (a)-[:CALLS]->(b)-[:IS]->(b) RETURN count(*)").to_string(), "[[2]]");
    assert_eq!(rows("MATCH (n:Nobody) RETURN n").to_string(), "[]");
    assert_eq!(rows("MATCH (n:Bot) RETURN n")[0][0]["key"]["id"], "a");
    std::fs::write(&p, r#"{"nodes": [], "edges": [{"src": "a", "dst": "b", "type": "X"}]}"#).unwrap();
    let o = sv0(&["query", "--graph", &p, "RETURN 1 AS x"]);
    assert_eq!(o.status.code(), Some(2));
    assert!(text(&o.stderr).contains("/edges/0/src: there is no node `a`"), "{}", text(&o.stderr));
}

#[test]
fn show_and_paths() {
    let (_dir, s) = store();
    let doc = json_of(&["show", &s, "sp-legacy-etl", "--format", "json"]);
    assert_eq!(doc["node"]["key"]["id"], "sp-legacy-etl");
    assert!(!doc["edges"].as_array().unwrap().is_empty());
    assert!(!doc["records"].as_array().unwrap().is_empty());
    let page = text(&sv0(&["show", &s, "sp-legacy-etl", "--format", "table"]).stdout);
    for part in ["owned by", "reaches, along the flow of authority", "SHA-256"] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let o = sv0(&["show", &s, "sp-legacy-et"]);
    assert_eq!(o.status.code(), Some(2));
    assert!(text(&o.stderr).contains("did you mean `sp-legacy-etl`"), "{}", text(&o.stderr));
    let pair = json_of(&[
        "query",
        &s,
        "MATCH p = ANY SHORTEST (a:identity)-[:authority|hierarchy]->{2,4}(t:resource) RETURN a.id, t.id, PATH_LENGTH(p) LIMIT 1",
        "--format",
        "json",
    ]);
    let (from, to) = (pair["rows"][0][0].as_str().unwrap(), pair["rows"][0][1].as_str().unwrap());
    let found = json_of(&["paths", &s, "--from", from, "--to", to, "--format", "json"]);
    assert!(found["paths"][0]["length"].as_u64().unwrap() <= pair["rows"][0][2].as_u64().unwrap());
    let o = sv0(&["paths", &s, "--from", to, "--to", from, "--max-hops", "1"]);
    assert_eq!(o.status.code(), Some(1));
}

#[cfg(feature = "arrow")]
#[test]
fn arrow_streams_hold_what_the_rows_hold() {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
    let query = "FOR n IN [1, null, 3] RETURN n, n * 0.5 AS half, DATE '1970-01-03' AS day, \
                 ZONED_DATETIME('1970-01-01T00:00:01Z') AS t, ['a', 'b'] AS texts, [n] AS list, DURATION 'P1D' AS d, \
                 CASE n WHEN 1 THEN 'x' ELSE n END AS mixed, null AS nothing, n > 1 AS b";
    let (_dir, s) = store();
    let o = sv0(&["query", &s, query, "--format", "arrow"]);
    assert!(o.status.success(), "{}", text(&o.stderr));
    let mut reader = arrow_ipc::reader::StreamReader::try_new(&o.stdout[..], None).unwrap();
    let batch = reader.next().unwrap().unwrap();
    assert!(reader.next().is_none());
    let c = |name: &str| batch.column_by_name(name).unwrap();
    assert_eq!(c("n").as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), None, Some(3)]);
    assert_eq!(c("half").as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [Some(0.5), None, Some(1.5)]);
    assert_eq!(c("day").as_primitive::<Date32Type>().value(0), 2);
    assert_eq!(c("t").as_primitive::<TimestampMicrosecondType>().value(0), 1_000_000);
    let texts = c("texts").as_list::<i32>().value(0);
    assert_eq!(texts.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("a"), Some("b")]);
    let strings = |name: &str| c(name).as_string::<i32>().iter().map(|s| s.map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(strings("list"), [Some("[1]".into()), Some("[null]".into()), Some("[3]".into())]);
    assert_eq!(strings("d")[0].as_deref(), Some("P1D"));
    assert_eq!(strings("mixed"), [Some("\"x\"".into()), None, Some("3".into())]);
    assert_eq!(strings("nothing"), [None, None, None]);
    assert_eq!(c("b").as_boolean().iter().collect::<Vec<_>>(), [Some(false), None, Some(true)]);
    // Elements of the graph are texts in JSON.
    let o = sv0(&["query", &s, "MATCH (i:identity) RETURN i ORDER BY i.id LIMIT 1", "--format", "arrow"]);
    let batch = arrow_ipc::reader::StreamReader::try_new(&o.stdout[..], None).unwrap().next().unwrap().unwrap();
    let node: Json = serde_json::from_str(batch.column(0).as_string::<i32>().value(0)).unwrap();
    let json = json_of(&["query", &s, "MATCH (i:identity) RETURN i ORDER BY i.id LIMIT 1", "--format", "json"]);
    assert_eq!(node, json["rows"][0][0]);
}

#[test]
fn parameters_are_of_the_kind_that_is_needed() {
    let (_dir, s) = store();
    let count =
        |q: &str, param: &str| json_of(&["query", &s, q, "--param", param, "--format", "json"])["rows"][0][0].clone();
    // A text, though it looks like a number.
    assert_eq!(count("MATCH (i:identity {id: $id}) RETURN count(*) AS n", "id=007"), 0);
    assert_eq!(count("RETURN $id = 'a' OR 'x7' ENDS WITH $id AS b", "id=7"), true);
    // A time.
    assert_ne!(count("MATCH (i:identity WHERE i.last_seen > $t) RETURN count(*) AS n", "t=2020-01-01"), 0);
    let o = sv0(&["query", &s, "MATCH (i:identity WHERE i.last_seen > $t) RETURN i", "--param", "t=soon"]);
    assert_eq!(o.status.code(), Some(2));
    let told = text(&o.stderr);
    assert!(told.contains("SV-Q400") && told.contains("must be a timestamp") && told.contains("i.last_seen"), "{told}");
}

#[test]
fn lint_tells_what_is_doubtful_in_rules() {
    let dir = tempfile::tempdir().unwrap();
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../sv0-rules/rules");
    let rule =
        std::fs::read_dir(&from).unwrap().map(|e| e.unwrap().path()).find(|p| p.join("rule.toml").exists()).unwrap();
    let to = dir.path().join(rule.file_name().unwrap());
    std::fs::create_dir(&to).unwrap();
    for f in std::fs::read_dir(&rule).unwrap() {
        let f = f.unwrap();
        std::fs::copy(f.path(), to.join(f.file_name())).unwrap();
    }
    let lint = || sv0(&["rules", "lint", dir.path().to_str().unwrap()]);
    let o = lint();
    assert!(o.status.success() && !text(&o.stderr).contains("warning"), "{}", text(&o.stderr));
    // A second MATCH that nothing connects with the first.
    let file = to.join("rule.toml");
    let written = std::fs::read_to_string(&file).unwrap();
    assert!(written.contains("\nRETURN"), "{written}");
    std::fs::write(&file, written.replacen("\nRETURN", "\nMATCH (unconnected:owner)\nRETURN", 1)).unwrap();
    let o = lint();
    assert!(o.status.success() && text(&o.stderr).contains("SV-Q310"), "{}", text(&o.stderr));
}

//! A synthetic organisation, and what the rules say of it.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value as Json;

fn sv0(args: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_sv0")).args(args).output().unwrap()
}

fn pairs(list: &Json, rule: &str, subject: impl Fn(&Json) -> String) -> BTreeSet<(String, String)> {
    list.as_array().unwrap().iter().map(|x| (x[rule].as_str().unwrap().to_owned(), subject(x))).collect()
}

#[test]
fn the_rules_find_what_was_planted_and_nothing_else() {
    for seed in ["1", "2"] {
        let dir = tempfile::tempdir().unwrap();
        let (out, truth) = (dir.path().join("synth"), dir.path().join("truth.json"));
        let (out, truth) = (out.to_str().unwrap(), truth.to_str().unwrap());
        let made = sv0(&["generate", "--scale", "0.06", "--seed", seed, "--out", out, "--truth", truth]);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let made: Json = serde_json::from_slice(&made.stdout).unwrap();
        assert!(made["nodes"].as_u64().unwrap() > 5000 && made["planted"].as_u64().unwrap() > 10, "{made}");
        let truth: Json = serde_json::from_str(&std::fs::read_to_string(truth).unwrap()).unwrap();
        let assessed = sv0(&["assess", out, "--format", "json"]);
        let assessed: Json = serde_json::from_slice(&assessed.stdout).unwrap();
        let text = |k: &Json| match k {
            Json::String(s) => s.clone(),
            k => format!("{}:{}", k["source"].as_str().unwrap(), k["id"].as_str().unwrap()),
        };
        let found = pairs(&assessed["findings"], "rule", |f| text(&f["subject"]["key"]));
        let planted = pairs(&truth["found"], "rule", |p| p["subject"].as_str().unwrap().to_owned());
        assert_eq!(found, planted, "seed {seed}");
        let healthy = pairs(&truth["healthy"], "rule", |p| p["subject"].as_str().unwrap().to_owned());
        assert!(healthy.len() > 8 && found.is_disjoint(&healthy), "seed {seed}");
        let rules: BTreeSet<&str> = planted.iter().map(|(r, _)| r.as_str()).collect();
        assert_eq!(rules.len(), 9, "{rules:?}");
    }
}

#[test]
fn what_stands_there_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("mine.txt"), "mine").unwrap();
    let out = dir.path().to_str().unwrap();
    let r = sv0(&["generate", "--out", out]);
    assert_eq!(r.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&r.stderr).contains("isn't empty"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let r = sv0(&["generate", "--scale", "0", "--out", out]);
    assert_eq!(r.status.code(), Some(2));
}

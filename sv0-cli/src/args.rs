//! Flags as data. Help, manual page and completions come from here.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

#[derive(Debug, Parser)]
#[command(name = "sv0", version, about = "What a non-human identity can really do", max_term_width = 110, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "Examples:
  sv0 assess samples/acme                         the main job, on the sample organisation
  aws iam get-account-authorization-details > account.json && sv0 assess account.json
  sv0 ingest samples/acme --store acme.sv0 && sv0 query acme.sv0 \"MATCH (i:identity) RETURN i.name LIMIT 5\"

Exit codes: 0 done; 1 done, and the answer is no; 2 bad usage or input; 3 couldn't finish.";

const QUERY_EXAMPLES: &str = "Examples:
  sv0 query acme.sv0 \"MATCH (i:identity)-[:HAS_ROLE]->(r) RETURN i.name, r.name\"
  sv0 query acme.sv0 --explain \"MATCH (i:identity)-[:authority]->{1,6}(t:resource) RETURN DISTINCT i.id, t.id\"
  sv0 query acme.sv0 \"AT SNAPSHOT 1 MATCH (i:identity) RETURN count(*) AS n\"
  sv0 query acme.sv0 \"USE diff(1, 2) MATCH (n) WHERE n:added RETURN n.id\"
  sv0 query --graph small.json \"MATCH (a)-[e]->(b) RETURN id(a), type(e), id(b)\"
  sv0 query acme.sv0 --canonical \"MATCH (n) WITH n.type AS t, count(*) AS c RETURN t, c\"";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read sources, commit a snapshot, run the rules, print findings
    #[command(after_help = "Example:\n  sv0 assess samples/acme --fail-on critical --format json")]
    Assess(AssessArgs),
    /// Read sources and commit a snapshot; print what changed
    #[command(after_help = "Example:\n  sv0 ingest account.json --store acme.sv0")]
    Ingest(IngestArgs),
    /// Bulk load of typed tables (CSV, NDJSON, Parquet) into a new store
    #[command(after_help = LOAD_EXAMPLES)]
    Load(LoadArgs),
    /// Write a synthetic organisation with planted risks, in the ingestion contract's form
    #[command(
        after_help = "Example:\n  sv0 generate --scale 0.1 --seed 1 --out synth --truth truth.json && sv0 assess synth"
    )]
    Generate(GenerateArgs),
    /// Run the rules on a store
    #[command(after_help = "Example:\n  sv0 check acme.sv0 --rules my-rules --baseline 1")]
    Check(CheckArgs),
    /// Run one query
    #[command(
        after_help = QUERY_EXAMPLES
    )]
    Query(QueryArgs),
    /// Query interactively; with standard input from a pipe, one JSON line a query
    #[command(after_help = "Example:\n  echo 'MATCH (i:identity) RETURN count(*) AS n' | sv0 shell acme.sv0")]
    Shell(ShellArgs),
    /// One node: properties, edges by type, owners, what it reaches, evidence
    #[command(
        after_help = "Examples:\n  sv0 show acme.sv0 deploy-bot\n  sv0 show acme.sv0 entra:acme:sp-legacy-etl --format json"
    )]
    Show(ShowArgs),
    /// How one node gets to another, along the flow of authority
    #[command(after_help = "Example:\n  sv0 paths acme.sv0 --from deploy-bot --to platform-admin --max-hops 6")]
    Paths(PathsArgs),
    /// Print node types, kinds, edge types with allowed pairs, properties
    #[command(after_help = "Example:\n  sv0 schema --format json-schema")]
    Schema(SchemaArgs),
    /// List, show, lint and test rules
    Rules {
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// May an identity do something? Three-valued, with the statements that decide
    #[command(
        after_help = "Examples:\n  sv0 can acme.sv0 deploy-bot iam:PassRole arn:aws:iam::111122223333:role/platform-admin\n  sv0 can --policies cases.ndjson"
    )]
    Can(CanArgs),
    /// Who may do something, directly or by acting as another?
    #[command(after_help = "Example:\n  sv0 who-can acme.sv0 s3:GetObject arn:aws:s3:::acme-ledger/2026.csv")]
    WhoCan(WhoCanArgs),
    /// Sizes of a store by section
    #[command(after_help = "Example:\n  sv0 info acme.sv0")]
    Info(StoreArgs),
    /// Check every hash and reference of a store
    #[command(after_help = "Example:\n  sv0 verify acme.sv0")]
    Verify(StoreArgs),
    /// The snapshots of a store
    #[command(after_help = "Example:\n  sv0 snapshots acme.sv0")]
    Snapshots(StoreArgs),
    /// What changed between two snapshots, and the authority gained and lost
    #[command(
        after_help = "Examples:\n  sv0 diff acme.sv0 1 2\n  sv0 diff acme.sv0 2026-05-01 2026-05-14 --format json"
    )]
    Diff(DiffArgs),
    /// Drop old snapshots and what crashed writers left
    #[command(
        after_help = "Examples:\n  sv0 compact acme.sv0                    keep all snapshots\n  sv0 compact acme.sv0 --keep newest:12   the twelve newest\n  sv0 compact acme.sv0 --keep 3,2026-05-01,audit   these and the newest"
    )]
    Compact(CompactArgs),
    /// Print a shell's completion script
    #[command(after_help = "Example:\n  sv0 completions bash > /etc/bash_completion.d/sv0")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = "Example:\n  sv0 man | man -l -")]
    Man,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// All rules with category and severity
    #[command(after_help = "Example:\n  sv0 rules list")]
    List(RulesArgs),
    /// One rule: why, query, reducers, references
    #[command(after_help = "Example:\n  sv0 rules show orphaned-automation")]
    Show(RuleArgs),
    /// Statically check rule folders
    #[command(after_help = "Example:\n  sv0 rules lint my-rules")]
    Lint(RulesArgs),
    /// Run the rules' own fixtures
    #[command(after_help = "Example:\n  sv0 rules test my-rules")]
    Test(RulesArgs),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Json,
    Ndjson,
    Csv,
    /// An Arrow IPC stream
    #[cfg(feature = "arrow")]
    Arrow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DocumentFormat {
    Table,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaFormat {
    Table,
    Json,
    JsonSchema,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SeverityArg {
    Info,
    Low,
    Medium,
    High,
    Critical,
}

impl From<SeverityArg> for sv0_rules::Severity {
    fn from(s: SeverityArg) -> Self {
        match s {
            SeverityArg::Info => Self::Info,
            SeverityArg::Low => Self::Low,
            SeverityArg::Medium => Self::Medium,
            SeverityArg::High => Self::High,
            SeverityArg::Critical => Self::Critical,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// Folders or files of API responses; what each is, is found out
    #[arg(required = true)]
    pub sources: Vec<PathBuf>,
    /// Read every file with this connector (contract, aws)
    #[arg(long, value_name = "NAME")]
    pub connector: Option<String>,
    /// Classification lines of your own, before the built-in ones (TOML)
    #[arg(long, value_name = "FILE")]
    pub classify: Vec<PathBuf>,
    /// Now, for conditions on dates and dormancy; default: the newest observation
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// Leave out what the schema refuses and report it, instead of refusing all
    #[arg(long)]
    pub lenient: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RuleOptions {
    /// Rule folders of your own, beside the built-in pack
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// The earlier snapshot to compare with: number, date or name; default: the one before
    #[arg(long, value_name = "SNAP")]
    pub baseline: Option<String>,
    /// Exit with 1 if there is a finding of this severity or worse
    #[arg(long, value_name = "SEV")]
    pub fail_on: Option<SeverityArg>,
    /// Output format; table on a terminal, else json
    #[arg(long)]
    pub format: Option<DocumentFormat>,
    /// Add what each rule took
    #[arg(long)]
    pub timing: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AssessArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// Keep the graph in this store; default: a temporary one
    #[arg(long, value_name = "F")]
    pub store: Option<PathBuf>,
    #[command(flatten)]
    pub rules: RuleOptions,
}

#[derive(Debug, Args)]
pub(crate) struct IngestArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    /// The store
    #[arg(long, value_name = "F")]
    pub store: PathBuf,
    /// The snapshot's name; default: its date
    #[arg(long)]
    pub name: Option<String>,
    /// Output format
    #[arg(long)]
    pub format: Option<DocumentFormat>,
}

const LOAD_EXAMPLES: &str = "Examples:
  sv0 load org.sv0 tables/                        a folder of nodes_TYPE.csv and edges_TYPE__FROM__TO.csv
  sv0 load org.sv0 --nodes identity=ids.parquet --nodes role=roles.csv --edges HAS_ROLE:identity:role=grants.ndjson
  sv0 load org.sv0 tables/ --schema schema.toml --observed-at 2026-05-14

Key columns are `id`, and `src_id` and `dst_id` of edges. Columns that aren't canonical are declared in the schema file.";

#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    /// 1 is about a hundred thousand nodes
    #[arg(long, value_name = "N", default_value_t = 0.1)]
    pub scale: f64,
    /// Another seed, another organisation of the same shapes
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// The folder to write to; it is made, or empty
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// What the rules are to find in it, and what not (JSON)
    #[arg(long, value_name = "FILE")]
    pub truth: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct LoadArgs {
    /// The store; it is made, or holds nothing yet
    pub store: PathBuf,
    /// Folders of tables, with a manifest.json or with names that say what each is
    pub folders: Vec<PathBuf>,
    /// A table of nodes
    #[arg(long, value_name = "TYPE=PATH", value_parser = sv0_connectors::tables::node_arg)]
    pub nodes: Vec<sv0_connectors::tables::NodeArg>,
    /// A table of edges
    #[arg(long, value_name = "TYPE:FROM:TO=PATH", value_parser = sv0_connectors::tables::edge_arg)]
    pub edges: Vec<sv0_connectors::tables::EdgeArg>,
    /// Types and properties beyond the canonical ones (TOML)
    #[arg(long, value_name = "FILE")]
    pub schema: Option<PathBuf>,
    /// The source that the nodes belong to
    #[arg(long, default_value = "load")]
    pub source: String,
    /// When it was observed; default: the newest timestamp of any node
    #[arg(long, value_name = "TIME")]
    pub observed_at: Option<String>,
    /// The snapshot's name; default: its date
    #[arg(long)]
    pub name: Option<String>,
    /// Edges held in memory before they are spilled beside the store
    #[arg(long, value_name = "N", default_value = "2G", value_parser = bytes)]
    pub memory: u64,
    /// Threads; default: one a core
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Output format
    #[arg(long)]
    pub format: Option<DocumentFormat>,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The store
    pub store: PathBuf,
    /// The snapshot: number, date or name; default: the newest
    #[arg(long, value_name = "SNAP")]
    pub at: Option<String>,
    /// Now; default: the snapshot's time
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    #[command(flatten)]
    pub rules: RuleOptions,
}

#[derive(Debug, Args, Clone)]
pub(crate) struct Limits {
    /// Time limit, e.g. 30s, 2m
    #[arg(long, value_name = "D", default_value = "30s", value_parser = duration)]
    pub timeout: Duration,
    /// Memory limit in bytes, or with K, M, G
    #[arg(long, value_name = "N", default_value = "1G", value_parser = bytes)]
    pub memory: u64,
    /// Rows held or returned
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub max_rows: u64,
    /// Adjacency entries touched; default: no limit
    #[arg(long, value_name = "N")]
    pub max_work: Option<u64>,
    /// Where a limit is met, give the rows that were found, marked as truncated, instead of an error
    #[arg(long)]
    pub truncate: bool,
}

#[derive(Debug, Args)]
pub(crate) struct QueryArgs {
    /// The store; with --graph, the query
    #[arg(required_unless_present = "graph")]
    pub store: Option<PathBuf>,
    /// The query
    pub query: Option<String>,
    /// Query a small graph in JSON instead of a store; `-` is standard input
    #[arg(long, value_name = "G.json", conflicts_with = "at")]
    pub graph: Option<PathBuf>,
    /// Read the query from a file
    #[arg(long, value_name = "FILE", conflicts_with = "query")]
    pub file: Option<PathBuf>,
    /// A parameter: a JSON value, or a text; `$$name=SNAP` and `$$name=diff(A,B)` give a graph to `USE $$name`
    #[arg(long = "param", value_name = "K=V")]
    pub params: Vec<String>,
    /// The snapshot: number, date or name; default: the newest
    #[arg(long, value_name = "SNAP")]
    pub at: Option<String>,
    /// Print the plan instead of running
    #[arg(long, conflicts_with_all = ["profile", "canonical"])]
    pub explain: bool,
    /// Run, and print what each operator did to standard error
    #[arg(long)]
    pub profile: bool,
    /// Print the query in canonical GQL instead of running it
    #[arg(long)]
    pub canonical: bool,
    #[command(flatten)]
    pub limits: Limits,
    /// Output format; table on a terminal, else json
    #[arg(long)]
    pub format: Option<Format>,
}

#[derive(Debug, Args)]
pub(crate) struct ShellArgs {
    /// The store
    #[arg(required_unless_present = "graph")]
    pub store: Option<PathBuf>,
    /// Query a small graph in JSON instead of a store
    #[arg(long, value_name = "G.json", conflicts_with_all = ["at", "store"])]
    pub graph: Option<PathBuf>,
    /// The snapshot: number, date or name; default: the newest
    #[arg(long, value_name = "SNAP")]
    pub at: Option<String>,
    #[command(flatten)]
    pub limits: Limits,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The store
    pub store: PathBuf,
    /// The node: source:id, an id, or a name
    pub key: String,
    /// The snapshot: number, date or name; default: the newest
    #[arg(long, value_name = "SNAP")]
    pub at: Option<String>,
    /// Output format
    #[arg(long)]
    pub format: Option<DocumentFormat>,
}

#[derive(Debug, Args)]
pub(crate) struct PathsArgs {
    /// The store
    pub store: PathBuf,
    /// Where the paths start: source:id, an id, or a name
    #[arg(long, value_name = "KEY")]
    pub from: String,
    /// Where they end
    #[arg(long, value_name = "KEY")]
    pub to: String,
    /// The longest path, in edges
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub max_hops: u32,
    /// How many paths, the shortest first
    #[arg(long, value_name = "K", default_value_t = 5)]
    pub count: u32,
    /// Along these edge types, classes or groups
    #[arg(long, value_name = "TYPES", default_value = "authority|hierarchy|escalation")]
    pub along: String,
    /// The snapshot: number, date or name; default: the newest
    #[arg(long, value_name = "SNAP")]
    pub at: Option<String>,
    #[command(flatten)]
    pub limits: Limits,
    /// Output format
    #[arg(long)]
    pub format: Option<DocumentFormat>,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// A store; default: the canonical schema
    pub store: Option<PathBuf>,
    /// Output format; json-schema is the ingestion contract
    #[arg(long, default_value = "table")]
    pub format: SchemaFormat,
}

#[derive(Debug, Args)]
pub(crate) struct RulesArgs {
    /// Rule folders; default: the built-in pack
    pub dirs: Vec<PathBuf>,
    /// Output format
    #[arg(long)]
    pub format: Option<DocumentFormat>,
}

#[derive(Debug, Args)]
pub(crate) struct RuleArgs {
    /// The rule's id
    pub id: String,
    /// Rule folders of your own
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// Output format
    #[arg(long)]
    pub format: Option<DocumentFormat>,
}

#[derive(Debug, Args)]
pub(crate) struct CanArgs {
    /// The store
    #[arg(required_unless_present = "policies")]
    pub store: Option<PathBuf>,
    /// The identity: key, ARN or name
    #[arg(required_unless_present = "policies")]
    pub who: Option<String>,
    /// The action, e.g. iam:PassRole
    #[arg(required_unless_present = "policies")]
    pub action: Option<String>,
    /// The resource's ARN
    #[arg(default_value = "*")]
    pub resource: String,
    /// What is known of the request, e.g. aws:SourceIp=10.0.0.1
    #[arg(long, value_name = "K=V")]
    pub context: Vec<String>,
    /// Evaluate documents given by hand, one JSON case a line; `-` is standard input
    #[arg(long, value_name = "CASES", conflicts_with_all = ["store", "who", "action"])]
    pub policies: Option<PathBuf>,
    /// Output format
    #[arg(long)]
    pub format: Option<DocumentFormat>,
}

#[derive(Debug, Args)]
pub(crate) struct WhoCanArgs {
    /// The store
    pub store: PathBuf,
    /// The action, e.g. s3:GetObject
    pub action: String,
    /// The resource's ARN
    #[arg(default_value = "*")]
    pub resource: String,
    /// Output format
    #[arg(long)]
    pub format: Option<DocumentFormat>,
}

#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The store
    pub store: PathBuf,
    /// Output format
    #[arg(long)]
    pub format: Option<DocumentFormat>,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The store
    pub store: PathBuf,
    /// The earlier snapshot: number, date or name
    pub from: String,
    /// The later snapshot; default: the newest
    pub to: Option<String>,
    /// Output format
    #[arg(long)]
    pub format: Option<DocumentFormat>,
}

#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    /// The store
    pub store: PathBuf,
    /// What stays: all, newest:N, or snapshots by number, date or name; the newest stays always
    #[arg(long, default_value = "all")]
    pub keep: String,
    /// Output format
    #[arg(long)]
    pub format: Option<DocumentFormat>,
}

fn duration(s: &str) -> Result<Duration, String> {
    let (n, unit) = s.split_at(s.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(s.len()));
    let n: f64 = n.parse().map_err(|_| format!("`{s}` isn't a duration; write 500ms, 30s, 2m or 1h"))?;
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("unknown unit `{unit}`; known are ms, s, m, h")),
    };
    Duration::try_from_secs_f64(n * scale).map_err(|e| e.to_string())
}

fn bytes(s: &str) -> Result<u64, String> {
    let (n, unit) = s.split_at(s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len()));
    let n: u64 = n.parse().map_err(|_| format!("`{s}` isn't a size; write 512M or 2G"))?;
    let scale = match unit.trim_end_matches("iB").trim_end_matches('B') {
        "" => 1,
        "K" | "k" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        _ => return Err(format!("unknown unit `{unit}`; known are K, M, G")),
    };
    n.checked_mul(scale).ok_or_else(|| "the size is too large".to_owned())
}

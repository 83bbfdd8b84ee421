//! Errors, and what exit code each means: 1 the answer is no, 2 bad usage or input, 3 couldn't finish.

use std::process::ExitCode;

use sv0_connectors::sources::SourceError;
use sv0_graph::{GraphError, StoreError};
use sv0_query::{Code, QueryError};

#[derive(Debug)]
pub(crate) enum Failure {
    /// Bad usage or bad input.
    Input(String),
    /// It couldn't finish.
    Run(String),
    /// The reader of the output went away.
    ClosedPipe,
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Input(_) => ExitCode::from(2),
            Self::Run(_) => ExitCode::from(3),
            Self::ClosedPipe => ExitCode::SUCCESS,
        }
    }

    pub(crate) fn input(m: impl Into<String>) -> Self {
        Self::Input(m.into())
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Input(m) | Self::Run(m) => f.write_str(m),
            Self::ClosedPipe => f.write_str("closed pipe"),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        match &e {
            StoreError::Schema(_)
            | StoreError::NotAStore
            | StoreError::UnsupportedVersion { .. }
            | StoreError::UnsupportedFeatures { .. }
            | StoreError::Truncated { .. }
            | StoreError::Corrupt { .. }
            | StoreError::UnknownSnapshot { .. } => Self::Input(e.to_string()),
            StoreError::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => {
                Self::Input(e.to_string())
            }
            _ => Self::Run(e.to_string()),
        }
    }
}

impl From<SourceError> for Failure {
    fn from(e: SourceError) -> Self {
        Self::Input(e.to_string())
    }
}

impl From<GraphError> for Failure {
    fn from(e: GraphError) -> Self {
        Self::Run(e.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        if e.kind() == std::io::ErrorKind::BrokenPipe { Self::ClosedPipe } else { Self::Run(e.to_string()) }
    }
}

/// A query's error, drawn over its text.
pub(crate) fn query(e: &QueryError, text: &str) -> Failure {
    let drawn = crate::output::draw(e, text);
    match e.code() {
        Code::Timeout | Code::WorkBudget | Code::MemoryBudget | Code::RowBudget | Code::Cancelled | Code::Storage => {
            Failure::Run(drawn)
        }
        _ => Failure::Input(drawn),
    }
}

//! The circuit breaker of one session: whether work may be sent to its cluster. It sends nothing and waits for
//! nothing.

/// Whether work may be sent to a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Circuit {
    /// All of it.
    #[default]
    Closed,
    /// As much as shows whether the cluster bears it.
    HalfOpen,
    /// None.
    Open,
}

impl Circuit {
    /// The word in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::HalfOpen => "half-open",
            Self::Open => "open",
        }
    }
}

//! Why a registration was refused: where, what kind of fault, and how to mend it.
//!
//! A [`Rejection`] ends up in conditions, events and logs, so it must not carry anything of its input.
//! That holds by construction: paths and messages are made of `'static` text and numbers, there is no
//! `String` in this module.

use std::fmt;

/// Where a fault is, such as `users[0].user.exec`. Names of the kubeconfig format and positions only;
/// a field that is not known is counted, not quoted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Path(Vec<Step>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Field(&'static str),
    Index(usize),
}

impl Path {
    /// The document as a whole.
    pub(crate) fn document() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn field(&self, name: &'static str) -> Self {
        self.step(Step::Field(name))
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        self.step(Step::Index(index))
    }

    fn step(&self, step: Step) -> Self {
        Self(self.0.iter().copied().chain([step]).collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("kubeconfig");
        }
        self.0.iter().enumerate().try_for_each(|(position, step)| match step {
            Step::Field(name) if position == 0 => f.write_str(name),
            Step::Field(name) => write!(f, ".{name}"),
            Step::Index(index) => write!(f, "[{index}]"),
        })
    }
}

/// One fault. Its `Display` is `path: message`, where the message says how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {kind}")]
pub struct Rejection {
    path: Path,
    kind: RejectionKind,
}

impl Rejection {
    pub(crate) fn new(path: Path, kind: RejectionKind) -> Self {
        Self { path, kind }
    }

    /// Where the fault is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the fault is; its `Display` is the message.
    pub fn kind(&self) -> &RejectionKind {
        &self.kind
    }

    /// The condition reason that the fault leads to.
    pub fn reason(&self) -> Reason {
        self.kind.reason()
    }
}

/// The reasons of the condition `CredentialsValid` that a kubeconfig can lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The kubeconfig cannot be used as it is: broken, incomplete or contradictory.
    BadKubeConfig,
    /// The kubeconfig asks for something that the hub refuses to do for anybody.
    InsecureKubeConfig,
}

impl Reason {
    /// The reason as it stands in a condition and in a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadKubeConfig => "BadKubeConfig",
            Self::InsecureKubeConfig => "InsecureKubeConfig",
        }
    }

    /// The reason for a list of rejections: [`Reason::InsecureKubeConfig`] as soon as one of them is.
    /// `None` for an empty list.
    pub fn of(rejections: &[Rejection]) -> Option<Self> {
        rejections.iter().map(Rejection::reason).max()
    }
}

/// The kinds of faults: a closed list, for tests, metrics and documentation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RejectionKind {
    /// More bytes than a kubeconfig may have.
    #[error("is larger than {limit} bytes: keep only the one context that the hub is to use")]
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// A value that is longer than its field may be.
    #[error("is longer than {limit} bytes: check that it is the value meant for this field")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// No content.
    #[error("is empty: store the text of a kubeconfig under this key of the Secret")]
    Empty,
    /// Not UTF-8, or with control characters.
    #[error("is not plain UTF-8 text ({found}): save it as UTF-8 without control characters")]
    NotText {
        /// What was found instead.
        found: &'static str,
    },
    /// Neither YAML nor JSON.
    #[error(
        "is not valid YAML at line {line}, column {column} (the content is not shown, it may be secret): check \
         quotes and indentation, and whether the text is complete"
    )]
    Syntax {
        /// The line, from 1; 0 when unknown.
        line: u64,
        /// The column, from 1; 0 when unknown.
        column: u64,
    },
    /// A mapping that has the same field twice.
    #[error("gives a field twice at line {line}, column {column}: keep one of the two")]
    RepeatedField {
        /// The line of the second one, from 1; 0 when unknown.
        line: u64,
        /// The column of the second one, from 1; 0 when unknown.
        column: u64,
    },
    /// YAML that is nested too deeply, has too many nodes, or uses anchors, aliases, merge keys or tags.
    #[error(
        "uses more of YAML than a kubeconfig needs at line {line}, column {column}: remove anchors, aliases, \
         merge keys, tags and deep nesting"
    )]
    TooComplex {
        /// The line, from 1; 0 when unknown.
        line: u64,
        /// The column, from 1; 0 when unknown.
        column: u64,
    },
    /// More than one YAML document.
    #[error("holds more than one YAML document: keep one and remove the `---` or `...` with what follows it")]
    SeveralDocuments,
    /// A value of another type than the field has.
    #[error("must be {expected}")]
    WrongType {
        /// The type, with a hint where it helps.
        expected: &'static str,
    },
    /// A field that is needed and not there, or empty.
    #[error("is missing: {fix}")]
    Missing {
        /// What to add.
        fix: &'static str,
    },
    /// A field that is not on the allow list.
    #[error(
        "holds a field that the hub does not know, number {position} (its name is not shown, it may be secret): \
         remove it; known here are {}",
        .known.join(", ")
    )]
    Unknown {
        /// The position of the field within its mapping, from 1.
        position: usize,
        /// The fields that are known at this place.
        known: &'static [&'static str],
    },
    /// A name that an earlier entry of the list has.
    #[error("repeats the name of an earlier entry: give each entry a name of its own")]
    Duplicate,
    /// A reference to an entry that is not there.
    #[error("names an entry that is not in `{list}`: correct the name, or add the entry")]
    Dangling {
        /// The list that was searched.
        list: &'static str,
    },
    /// A value that is not of the form that its field needs.
    #[error("{fix}")]
    Malformed {
        /// The form that is needed.
        fix: &'static str,
    },
    /// Fields that contradict one another.
    #[error("contradicts another field: {fix}")]
    Conflict {
        /// What to keep.
        fix: &'static str,
    },
    /// A field that would make the hub run a program, read a file or act as somebody else.
    #[error("is refused: {fix}")]
    Forbidden {
        /// What to use instead.
        fix: &'static str,
    },
    /// A transport that shows the credentials to others.
    #[error("is insecure: {fix}")]
    Insecure {
        /// What to use instead.
        fix: &'static str,
    },
    /// The list ends here, there are more faults.
    #[error("has more than {limit} faults: the rest is not listed")]
    TooManyFaults {
        /// How many are listed.
        limit: usize,
    },
}

impl RejectionKind {
    /// The name of the kind, as it stands in a metric label.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "TooLarge",
            Self::TooLong { .. } => "TooLong",
            Self::Empty => "Empty",
            Self::NotText { .. } => "NotText",
            Self::Syntax { .. } => "Syntax",
            Self::RepeatedField { .. } => "RepeatedField",
            Self::TooComplex { .. } => "TooComplex",
            Self::SeveralDocuments => "SeveralDocuments",
            Self::WrongType { .. } => "WrongType",
            Self::Missing { .. } => "Missing",
            Self::Unknown { .. } => "Unknown",
            Self::Duplicate => "Duplicate",
            Self::Dangling { .. } => "Dangling",
            Self::Malformed { .. } => "Malformed",
            Self::Conflict { .. } => "Conflict",
            Self::Forbidden { .. } => "Forbidden",
            Self::Insecure { .. } => "Insecure",
            Self::TooManyFaults { .. } => "TooManyFaults",
        }
    }

    fn reason(&self) -> Reason {
        match self {
            Self::Forbidden { .. } | Self::Insecure { .. } => Reason::InsecureKubeConfig,
            Self::TooLarge { .. }
            | Self::TooLong { .. }
            | Self::Empty
            | Self::NotText { .. }
            | Self::Syntax { .. }
            | Self::RepeatedField { .. }
            | Self::TooComplex { .. }
            | Self::SeveralDocuments
            | Self::WrongType { .. }
            | Self::Missing { .. }
            | Self::Unknown { .. }
            | Self::Duplicate
            | Self::Dangling { .. }
            | Self::Malformed { .. }
            | Self::Conflict { .. }
            | Self::TooManyFaults { .. } => Reason::BadKubeConfig,
        }
    }
}

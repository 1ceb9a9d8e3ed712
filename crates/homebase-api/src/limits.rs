//! Bounds of fields, each with its reason. The schemas and offline validation share them.
//! It must not hold rules about more than one field: those are in `rules`.

/// Longest name of an `IrisCluster`. A StatefulSet's name may have 52 characters, because its pods carry it with a
/// hash of eleven in a label of at most 63; the longest name made here is `NAME-webgateway`.
pub const CLUSTER_NAME_LENGTH: usize = 41;

/// Most pods of a group that scales: the largest cluster that anybody has rehearsed had 128; more than this is a
/// slip of the finger, and would flood a work cluster.
pub const MAX_REPLICAS: i32 = 1000;

/// Most shards: their numbers have two digits, so that `NAME-data-S` stays a valid name of a StatefulSet.
pub const MAX_SHARDS: i32 = 64;

/// Most members of a mirror: IRIS allows a primary and fifteen more.
pub const MIRROR_MEMBERS: usize = 16;

/// Longest `mirrorMap`: a primary, and as many members of the longest role.
pub const MIRROR_MAP_LENGTH: usize = "primary".len() + (MIRROR_MEMBERS - 1) * ",rorasync".len();

/// Longest value of a label, the name of a zone among them.
pub const LABEL_LENGTH: usize = 63;

/// Longest name of most objects: that of a DNS subdomain.
pub const NAME_LENGTH: usize = 253;

/// Longest name of the Deployment of an `Iris`, as published. Names of 64 characters are refused by a rule of
/// their own that says why.
pub const DEPLOYMENT_NAME_LENGTH: usize = 64;

/// Longest reference of an image: 255 for the repository, 128 for the tag, 72 for a digest.
pub const IMAGE_LENGTH: usize = 512;

/// Longest version of IRIS that [`VERSION`] allows.
pub const VERSION_LENGTH: usize = 4 + 4 * 7;

/// Longest path: `PATH_MAX` would allow 4096, but no volume is mounted that deep.
pub const PATH_LENGTH: usize = 1024;

/// Longest text of one argument of a container.
pub const ARGUMENT_LENGTH: usize = 4096;

/// Longest name of an IRIS database or namespace.
pub const IRIS_NAME_LENGTH: usize = 64;

/// The IRIS namespace that every cluster has; its database has the same name in lower case.
pub const CLUSTER_NAMESPACE: &str = "IRISCLUSTER";

/// Longest password hash: a SHA-512 and its salt in hexadecimal have 256 characters.
pub const PASSWORD_HASH_LENGTH: usize = 1024;

/// Longest text of a quantity: rules that compare quantities need a bound for their cost.
pub const QUANTITY_LENGTH: usize = 64;

/// Most items of a list of core objects in a pod: an apiserver takes objects of at most 1.5 MB anyway, and nobody
/// writes more by hand.
pub const LIST_ITEMS: usize = 256;

/// Most databases or namespaces of a cluster.
pub const IRIS_ITEMS: usize = 256;

/// Most zones of a group.
pub const ZONES: usize = 64;

/// Longest sentence in a status.
pub const SENTENCE_LENGTH: usize = 4096;

/// Longest message of a condition, in characters: the bound that Kubernetes documents for its own conditions.
pub const CONDITION_MESSAGE_LENGTH: usize = 32768;

/// Names of objects (DNS subdomain).
pub const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// Values of labels.
pub const LABEL: &str = r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";

/// References of images. Not the whole grammar: what is left over is for the kubelet to refuse.
pub const IMAGE: &str = r"^[A-Za-z0-9\[][-A-Za-z0-9._:/@\[\]]*$";

/// Versions of IRIS, such as `2024.1`, `2024.1.0.267` or `2024.1-preview`.
pub const VERSION: &str = r"^[0-9]{4}(\.[0-9]{1,6}){1,4}(-[-.A-Za-z0-9]+)?$";

/// Absolute paths without characters that could end a line or a value of a CPF or CSP file.
pub const PATH: &str = r#"^/[^\s,;="\\\[\]]*$"#;

/// Names of IRIS databases and namespaces: nothing that could end a value of a CPF file.
pub const IRIS_NAME: &str = r"^[A-Za-z%][-A-Za-z0-9_]*$";

/// Password hashes: nothing that could start a new line of a CPF file.
pub const PASSWORD_HASH: &str = r"^[!-~]+$";

/// Directories of IRIS databases: nothing that could end a value of a CPF file or begin a comment in one.
pub const DIRECTORY: &str = r##"^/[^\s,;=:"#\\\[\]]+$"##;

//! The audit log of a plane, read as lists of writes and of refusals. It must not
//! filter by who asked: that is for the test to say.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::{Error, Result};

/// A place in the audit log: what was written before it, and what after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AuditMark(u64);

/// One request that the apiserver has answered: a write of anybody, or a read of
/// somebody who may not do everything.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditEvent {
    /// `create`, `update`, `patch`, `delete` or `deletecollection`; of reads `get`,
    /// `list` or `watch`.
    pub verb: String,
    /// The API group, empty for the core.
    pub group: String,
    /// The plural resource.
    pub resource: String,
    /// `status`, `scale`, `token`…
    pub subresource: Option<String>,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// Empty for a create that was refused early.
    pub name: String,
    /// Who asked; `admin` is the test itself through the admin kubeconfig.
    pub user: String,
    /// With which program.
    pub user_agent: String,
    /// The HTTP status of the answer.
    pub code: u16,
    /// What the apiserver says of a failure.
    pub message: String,
    /// The address with its query, in which `dryRun` and `fieldManager` are.
    pub uri: String,
    /// For deletes and evictions: `preconditions.uid`.
    pub precondition_uid: Option<String>,
    /// For deletes: `propagationPolicy`.
    pub propagation: Option<String>,
}

impl AuditEvent {
    /// Whether the object has changed or may have: the answer is a success and
    /// it was no dry run.
    pub fn is_effective(&self) -> bool {
        (200..300).contains(&self.code) && !self.uri.contains("dryRun=All")
    }

    /// Whether it asks for a change.
    pub fn is_write(&self) -> bool {
        !READS.contains(&self.verb.as_str())
    }

    /// The verb of the right that the account lacks, if that is why it was refused. It
    /// may be another one than that of the request: a patch of what is not there is a
    /// `create`. Admission, as of a namespace that is on its way out, answers 403 as
    /// well.
    pub fn denied_verb(&self) -> Option<&str> {
        let (_, denied) = self.message.split_once("\" cannot ").filter(|_| self.code == 403)?;
        denied.split(' ').next()
    }
}

/// The verbs of the audit policy that change nothing.
const READS: [&str; 3] = ["get", "list", "watch"];

/// The end of the log.
pub(crate) fn mark(path: &Path) -> Result<AuditMark> {
    match path.metadata() {
        Ok(metadata) => Ok(AuditMark(metadata.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(AuditMark::default()),
        Err(error) => Err(Error::io("look at", path)(error)),
    }
}

/// The events after a mark.
pub(crate) fn read_since(path: &Path, mark: AuditMark) -> Result<Vec<AuditEvent>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        // The apiserver makes it with the first event.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io("open", path)(error)),
    };
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(mark.0)).map_err(Error::io("read", path))?;
    file.read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    // What follows the last line break is a line that is being written.
    let complete = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    bytes[..complete]
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| parse(line).map_err(|source| Error::Parse { path: path.to_owned(), source }))
        .collect()
}

fn parse(line: &[u8]) -> serde_json::Result<AuditEvent> {
    let raw: RawEvent = serde_json::from_slice(line)?;
    let object = raw.object_ref.unwrap_or_default();
    let status = raw.response_status.unwrap_or_default();
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let options = raw.request_object.unwrap_or_default();
    Ok(AuditEvent {
        verb: raw.verb,
        group: object.api_group,
        resource: object.resource,
        subresource: object.subresource,
        namespace: object.namespace,
        name: object.name,
        user: raw.user.username,
        user_agent: raw.user_agent,
        code: status.code,
        message: status.message,
        uri: raw.request_uri,
        precondition_uid: text(
            options.pointer("/preconditions/uid").or(options.pointer("/deleteOptions/preconditions/uid")),
        ),
        propagation: text(options.get("propagationPolicy")),
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawEvent {
    verb: String,
    user: RawUser,
    #[serde(default)]
    user_agent: String,
    #[serde(default, rename = "requestURI")]
    request_uri: String,
    object_ref: Option<RawObject>,
    response_status: Option<RawStatus>,
    request_object: Option<Value>,
}

#[derive(Deserialize)]
struct RawUser {
    // Absent where credentials were refused.
    #[serde(default)]
    username: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawObject {
    api_group: String,
    resource: String,
    subresource: Option<String>,
    namespace: String,
    name: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawStatus {
    code: u16,
    message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delete_tells_its_precondition() {
        let line = br#"{"verb":"delete","user":{"username":"hub"},"userAgent":"homebase/1","requestURI":"/api/v1/namespaces/a/services/b",
            "objectRef":{"resource":"services","namespace":"a","name":"b","apiVersion":"v1"},"responseStatus":{"code":200},
            "requestObject":{"kind":"DeleteOptions","preconditions":{"uid":"u-1"},"propagationPolicy":"Orphan"}}"#;
        let event = parse(line).unwrap();
        assert_eq!(event.precondition_uid.as_deref(), Some("u-1"));
        assert_eq!(event.propagation.as_deref(), Some("Orphan"));
        assert_eq!((event.code, event.is_effective()), (200, true));
    }

    #[test]
    fn a_dry_run_and_a_refusal_change_nothing() {
        let event = |uri: &str, code: u16| {
            let line = format!(
                r#"{{"verb":"patch","user":{{"username":"hub"}},"requestURI":"{uri}","responseStatus":{{"code":{code}}}}}"#
            );
            parse(line.as_bytes()).unwrap().is_effective()
        };
        assert!(event("/x?fieldManager=homebase", 201));
        assert!(!event("/x?dryRun=All", 200));
        assert!(!event("/x", 409));
    }

    #[test]
    fn a_right_that_is_lacking_is_told_from_a_namespace_that_ends() {
        let event = |code: u16, message: &str| {
            let status = serde_json::json!({"code": code, "message": message});
            let event = serde_json::json!({"verb": "list", "user": {}, "responseStatus": status});
            parse(event.to_string().as_bytes()).unwrap()
        };
        let lacking =
            r#"pods is forbidden: User "a" cannot list resource "pods" in API group "" at the cluster scope"#;
        assert_eq!(
            (event(403, lacking).denied_verb(), event(403, lacking).is_write()),
            (Some("list"), false)
        );
        let ending = "unable to create new content in namespace a because it is being terminated";
        assert_eq!(event(403, ending).denied_verb(), None);
        assert_eq!(event(404, lacking).denied_verb(), None);
    }
}

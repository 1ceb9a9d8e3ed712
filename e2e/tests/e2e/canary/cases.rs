//! The kubeconfigs, each with a secret text of its own in one field. It must not say what becomes of them, but for
//! whether they lead to a connection.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use homebase_testkit::ControlPlane;

/// Enough of a key to know it by.
const TAIL: usize = 48;

/// A registration.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) text: Vec<u8>,
    /// Whether the hub tries to connect with it.
    pub(super) is_accepted: bool,
    /// What must appear nowhere.
    pub(super) secrets: Vec<String>,
}

/// The parts of a kubeconfig, as YAML in one line each.
#[derive(Clone)]
struct Parts {
    before: String,
    server: String,
    cluster: String,
    user: String,
    context: String,
    names: [String; 3],
    after: String,
}

impl Parts {
    /// One more field of the cluster.
    fn and(&mut self, field: &str) {
        self.cluster = [&self.cluster, ", ", field].concat();
    }

    fn text(&self) -> String {
        let Self { before, server, cluster, user, context, names: [c, u, x], after } = self;
        format!(
            "{before}apiVersion: v1\nkind: Config\ncurrent-context: {x}\nclusters:\n- name: {c}\n  cluster: {{server: \
             '{server}', {cluster}}}\nusers:\n- name: {u}\n  user: {{{user}}}\ncontexts:\n- name: {x}\n  context: \
             {{cluster: {c}, user: {u}, {context}}}\n{after}"
        )
    }
}

/// Every field that a kubeconfig may have, and places where none should be. None of them is accepted by the cluster.
pub(super) fn cases(plane: &ControlPlane) -> Vec<Case> {
    let good = plane.admin_kubeconfig();
    let authority = format!("certificate-authority-data: {}", field(&good, "certificate-authority-data"));
    let base = Parts {
        before: String::new(),
        server: plane.url(),
        cluster: authority.clone(),
        user: "token: a-token-that-nobody-takes".to_owned(),
        context: String::new(),
        names: ["c".to_owned(), "u".to_owned(), "x".to_owned()],
        after: String::new(),
    };
    let mut all = Vec::new();
    let mut add = |name: &str, is_accepted: bool, change: &dyn Fn(&mut Parts, &str)| {
        let canary = format!("c4n4ry-{name}-k7x2");
        let mut parts = base.clone();
        change(&mut parts, &canary);
        let (name, text) = (format!("in-{name}"), parts.text().into_bytes());
        all.push(Case { name, text, is_accepted, secrets: vec![canary] });
    };
    add_servers(&mut add, &plane.url());
    add_users(&mut add);
    add_names(&mut add);
    add_looks(&mut add);
    let clusters: [(&str, &str); 6] = [
        ("authority-file", "certificate-authority: /c/CANARY"),
        ("proxy-url", "proxy-url: 'http://user:CANARY@127.0.0.1:3128'"),
        ("unknown-field", "CANARY: CANARY"),
        ("skip-verify", "insecure-skip-tls-verify: CANARY"),
        ("compression", "disable-compression: [CANARY]"),
        ("bad-name", "tls-server-name: '_CANARY_/'"),
    ];
    for (name, field) in clusters {
        add(name, false, &|parts, canary| parts.and(&field.replace("CANARY", canary)));
    }
    add("authority", false, &|parts, canary| {
        parts.cluster = format!("certificate-authority-data: {}", STANDARD.encode(canary));
    });
    add("authority-raw", false, &|parts, canary| {
        parts.cluster = format!("certificate-authority-data: {canary}");
    });
    add("authority-text", true, &|parts, canary| {
        let text = STANDARD.decode(field(&good, "certificate-authority-data")).unwrap();
        let text = [canary.as_bytes(), b"\n", &text].concat();
        parts.cluster = format!("certificate-authority-data: {}", STANDARD.encode(text));
    });
    add("tls-server-name", true, &|parts, canary| {
        parts.and(&format!("tls-server-name: {canary}.example.com"));
    });
    add("cluster-extension", true, &|parts, canary| {
        parts.and(&format!("extensions: [{{name: a, extension: {{b: {canary}}}}}]"));
    });
    all.push(key(plane, &base));
    all
}

type Add<'a> = &'a mut dyn FnMut(&str, bool, &dyn Fn(&mut Parts, &str));

fn add_servers(add: Add<'_>, url: &str) {
    let servers = [
        ("user-info", false, format!("https://user:CANARY@{}", &url["https://".len()..])),
        ("query", false, format!("{url}/?token=CANARY")),
        ("fragment", false, format!("{url}/#CANARY")),
        ("scheme", false, "CANARY://127.0.0.1".to_owned()),
        ("port", false, "https://127.0.0.1:CANARY".to_owned()),
        ("path", true, format!("{url}/clusters/CANARY")),
    ];
    for (name, is_accepted, server) in servers {
        add(name, is_accepted, &|parts, canary| parts.server = server.replace("CANARY", canary));
    }
}

fn add_users(add: Add<'_>) {
    let users = [
        ("token", true, "token: CANARY"),
        ("token-blank", false, "token: 'CANARY with blanks'"),
        ("token-list", false, "token: [CANARY]"),
        ("token-file", false, "tokenFile: /c/CANARY"),
        ("username", false, "username: CANARY, password: b"),
        ("password", false, "username: a, password: CANARY"),
        ("as", false, "token: t, as: CANARY"),
        ("as-uid", false, "token: t, as-uid: CANARY"),
        ("as-groups", false, "token: t, as-groups: [CANARY]"),
        ("as-extra", false, "token: t, as-user-extra: {CANARY: [CANARY]}"),
        ("cert-file", false, "client-certificate: /c/CANARY, client-key: /c/CANARY"),
        ("cert-raw", false, "client-certificate-data: CANARY, client-key-data: CANARY"),
        (
            "exec-command",
            false,
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: /c/CANARY, interactiveMode: Never}",
        ),
        (
            "exec-args",
            false,
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: sh, args: [-c, 'echo CANARY; echo CANARY >&2; exit 1'], interactiveMode: Never}",
        ),
        (
            "exec-env",
            false,
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: env, env: [{name: A, value: CANARY}], interactiveMode: Never}",
        ),
        (
            "exec-hint",
            false,
            "exec: {apiVersion: client.authentication.k8s.io/v1, command: /nowhere, installHint: CANARY, interactiveMode: Never}",
        ),
        ("provider", false, "auth-provider: {name: CANARY, config: {access-token: CANARY}}"),
        (
            "oidc",
            false,
            "auth-provider: {name: oidc, config: {id-token: CANARY, refresh-token: CANARY, client-secret: CANARY, idp-issuer-url: 'https://127.0.0.1:1'}}",
        ),
        (
            "gcp",
            false,
            "auth-provider: {name: gcp, config: {cmd-path: sh, cmd-args: '-c \"echo CANARY; exit 1\"', access-token: CANARY}}",
        ),
        ("unknown-user", false, "CANARY: CANARY"),
        ("user-extension", true, "token: t, extensions: [{name: a, extension: {b: CANARY}}]"),
    ];
    for (name, is_accepted, user) in users {
        add(name, is_accepted, &|parts, canary| parts.user = user.replace("CANARY", canary));
    }
    for (name, data) in [("cert", "client-certificate-data"), ("key", "client-key-data")] {
        add(name, false, &|parts, canary| {
            let (own, other) = (STANDARD.encode(canary), STANDARD.encode("x"));
            let rest =
                ["client-certificate-data", "client-key-data"].into_iter().find(|one| *one != data).unwrap();
            parts.user = format!("{data}: {own}, {rest}: {other}");
        });
    }
}

fn add_names(add: Add<'_>) {
    for (index, name) in ["cluster-name", "user-name", "context-name"].into_iter().enumerate() {
        add(name, true, &|parts, canary| canary.clone_into(&mut parts.names[index]));
    }
    add("namespace", true, &|parts, canary| parts.context = format!("namespace: {canary}"));
    add("bad-namespace", false, &|parts, canary| parts.context = format!("namespace: '_{canary}'"));
    add("unknown-context", false, &|parts, canary| parts.context = format!("{canary}: {canary}"));
    add("context-extension", true, &|parts, canary| {
        parts.context = format!("extensions: [{{name: a, extension: {{b: {canary}}}}}]");
    });
    add("other-user", true, &|parts, canary| {
        parts.user = format!("token: t}}\n- name: other\n  user: {{token: {canary}");
    });
    add("dangling", false, &|parts, canary| {
        parts.context = format!("namespace: a}}\n- name: y\n  context: {{cluster: {canary}, user: {canary}");
        parts.after = format!("current-context: {canary}\n");
    });
}

fn add_looks(add: Add<'_>) {
    add("comment", true, &|parts, canary| parts.before = format!("# {canary}\n"));
    add("first-document", false, &|parts, canary| parts.before = format!("token: {canary}\n---\n"));
    add("second-document", false, &|parts, canary| parts.after = format!("---\ntoken: {canary}\n"));
    add("top-level", false, &|parts, canary| parts.after = format!("{canary}: {canary}\n"));
    add("preferences", true, &|parts, canary| parts.after = format!("preferences: {{colors: {canary}}}\n"));
    add("extension", true, &|parts, canary| {
        parts.after = format!("extensions: [{{name: a, extension: {{b: {canary}}}}}]\n");
    });
    add("twice", false, &|parts, canary| parts.after = format!("kind: {canary}\n"));
    add("syntax", false, &|parts, canary| parts.after = format!("a: {canary}\n  b: [{canary}\n"));
    add("tag", false, &|parts, canary| parts.after = format!("preferences: !{canary} {canary}\n"));
    add("anchor", false, &|parts, canary| parts.after = format!("preferences: &{canary} {canary}\n"));
    add("alias", false, &|parts, canary| parts.after = format!("preferences: *{canary}\n"));
    add("control", false, &|parts, canary| parts.after = format!("# \u{1}{canary}\n"));
}

/// A certificate and its key that are well made, of an authority that the cluster does not know.
fn key(plane: &ControlPlane, base: &Parts) -> Case {
    let text = plane.kubeconfig_for_client_certificate("c4n4ry-user").unwrap();
    let [certificate, key] =
        ["client-certificate-data", "client-key-data"].map(|name| field(&text, name).to_owned());
    let mut parts = base.clone();
    // So that the cluster itself refuses it.
    parts.server = format!("{}/nowhere", parts.server);
    parts.user = format!("client-certificate-data: {certificate}, client-key-data: {key}");
    let tail = |text: &str| text[text.len() - TAIL..].to_owned();
    let pem = String::from_utf8(STANDARD.decode(&key).unwrap()).unwrap();
    let line = pem.lines().nth(1).unwrap().to_owned();
    let secrets = vec![tail(&key), line];
    Case { name: "in-key-data".to_owned(), text: parts.text().into_bytes(), is_accepted: true, secrets }
}

/// The same for `config` of a cluster Secret of Argo CD.
pub(super) fn argo_cases(plane: &ControlPlane) -> Vec<Case> {
    let authority = field(&plane.admin_kubeconfig(), "certificate-authority-data").to_owned();
    let cases = [
        (
            "token",
            true,
            format!(r#"{{"bearerToken":"CANARY","tlsClientConfig":{{"caData":"{authority}"}}}}"#),
        ),
        ("password", false, r#"{"username":"a","password":"CANARY"}"#.to_owned()),
        (
            "exec",
            false,
            r#"{"execProviderConfig":{"command":"sh","args":["CANARY"],"env":{"A":"CANARY"}}}"#.to_owned(),
        ),
        ("aws", false, r#"{"awsAuthConfig":{"clusterName":"CANARY","roleARN":"CANARY"}}"#.to_owned()),
        ("proxy", false, r#"{"bearerToken":"t","proxyUrl":"http://a:CANARY@b"}"#.to_owned()),
        ("unknown", false, r#"{"CANARY":"CANARY"}"#.to_owned()),
        ("syntax", false, r#"{"bearerToken":"CANARY"#.to_owned()),
        ("key", false, r#"{"tlsClientConfig":{"keyData":"CANARY","certData":"CANARY"}}"#.to_owned()),
    ];
    let case = |(name, is_accepted, text): (&str, bool, String)| {
        let canary = format!("c4n4ry-argo-{name}-k7x2");
        let text = text.replace("CANARY", &canary).into_bytes();
        Case { name: format!("argo-{name}"), text, is_accepted, secrets: vec![canary] }
    };
    cases.into_iter().map(case).collect()
}

/// The value of a field that has a line of its own.
fn field<'a>(kubeconfig: &'a str, name: &str) -> &'a str {
    let value = |line: &'a str| line.trim().strip_prefix(name)?.strip_prefix(": ");
    kubeconfig.lines().find_map(value).unwrap()
}

//! Tests of the CPF text line by line. Must not test where the text goes.

use super::*;

fn directories() -> Directories {
    Directories {
        data: "/irissys/data".into(),
        wij: "/irissys/wij".into(),
        journal1: "/irissys/journal1".into(),
        journal2: "/irissys/journal2".into(),
    }
}

/// The lines of one section; a section that appears twice gives the lines of both.
fn section<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let mut lines = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line == format!("[{name}]");
        } else if inside && !line.is_empty() {
            lines.push(line);
        }
    }
    lines
}

const ARBITER: &str = "demo-arbiter-0.iris-svc.ns.svc.cluster.local";

/// What most clusters have.
fn common(directories: &Directories) -> Common<'_> {
    Common {
        directories,
        data_host: "host",
        sharded: false,
        tls: CpfTls::default(),
        databases: &[],
        namespaces: &[],
        password_hash: None,
        additions: &[],
    }
}

fn mirrored(dialect: Dialect, arbiter: Option<&str>) -> String {
    let map = MirrorMap::parse("primary,backup,drasync").unwrap();
    data_cpf(&common(&directories()), dialect, Some(Mirror { map: &map, arbiter }))
}

fn plain(password_hash: Option<&str>, additions: &[&str]) -> String {
    let directories = directories();
    let common = Common { password_hash, additions, ..common(&directories) };
    data_cpf(&common, Dialect::ConfigMirrorArbiter, None)
}

#[test]
fn a_plain_data_node_has_no_word_of_mirrors() {
    let text = plain(None, &[]);
    assert_eq!(section(&text, "Startup"), ["DefaultPort=1972", "WebServerPort=52773"]);
    assert_eq!(
        section(&text, "Actions"),
        [
            "ModifyService:Name=%service_ecp,Enabled=1",
            "CreateDatabase:Name=iriscluster,Directory=/irissys/data/IRIS/mgr/iriscluster",
            "CreateNamespace:Name=IRISCLUSTER,Globals=iriscluster,Routines=iriscluster",
        ]
    );
    assert_eq!(
        section(&text, "Journal"),
        ["CurrentDirectory=/irissys/journal1/", "AlternateDirectory=/irissys/journal2/"]
    );
    assert_eq!(section(&text, "config"), ["wijdir=/irissys/wij/", "MaxServerConn=64", "MaxServers=64"]);
    assert!(!text.to_lowercase().contains("mirror"));
}

#[test]
fn a_mirror_is_configured_before_its_database_is_created() {
    let text = mirrored(Dialect::ConfigMirrorArbiter, Some(ARBITER));
    assert_eq!(section(&text, "Startup"), ["DefaultPort=1972", "WebServerPort=52773"]);
    assert_eq!(
        section(&text, "Actions")[1..3],
        [
            format!(
                "ConfigMirror:Name=IRISMIRROR1,Member=auto,Primary=auto,Map=\"primary,backup,drasync\",ArbiterURL={ARBITER}:2188"
            ),
            "CreateDatabase:Name=iriscluster,Directory=/irissys/data/IRIS/mgr/iriscluster,MirrorSetName=IRISMIRROR1,MirrorDBName=IRISCLUSTER"
                .to_owned(),
        ]
    );
}

#[test]
fn before_2023_the_arbiter_is_in_startup_only() {
    let text = mirrored(Dialect::StartupArbiter, Some(ARBITER));
    assert_eq!(section(&text, "Startup")[2], format!("ArbiterURL={ARBITER}:2188"));
    assert_eq!(text.matches("ArbiterURL").count(), 1);
}

#[test]
fn without_an_arbiter_no_dialect_names_one() {
    for dialect in [Dialect::StartupArbiter, Dialect::ConfigMirrorArbiter] {
        assert!(!mirrored(dialect, None).contains("Arbiter"));
    }
}

#[test]
fn compute_reaches_a_mirror_by_its_name_and_a_plain_node_by_its_directory() {
    let cpf = |mirrored| {
        compute_cpf(&Common { password_hash: Some("abc,def"), ..common(&directories()) }, mirrored)
    };
    let text = cpf(true);
    assert_eq!(section(&text, "ECPServers"), ["IRIS-0=host,1972,1"]);
    assert_eq!(section(&text, "Startup")[2], "PasswordHash=abc,def");
    assert_eq!(
        section(&text, "Actions")[1],
        "CreateDatabase:Name=iriscluster,Directory=:mirror:IRISMIRROR1:IRISCLUSTER,Server=IRIS-0,LogicalOnly=1"
    );
    let text = cpf(false);
    assert_eq!(section(&text, "ECPServers"), ["IRIS-0=host,1972,0"]);
    assert!(section(&text, "Actions")[1].contains("Directory=:ds:IRISCLUSTER,"));
}

#[test]
fn a_sharded_cluster_is_made_by_one_action() {
    let directories = directories();
    let sharded = Common { sharded: true, ..common(&directories) };
    let url = "ClusterURL=IRIS://host:1972/IRISCLUSTER";
    let plain = data_cpf(&sharded, Dialect::ConfigMirrorArbiter, None);
    assert_eq!(
        section(&plain, "Actions")[1..],
        [format!("ConfigShardedCluster:{url},Role=auto,MasterRegexp=\"-0$\",Regexp=\"-[0-9]+$\"")]
    );
    let map = MirrorMap::parse("primary,backup").unwrap();
    let mirror = Some(Mirror { map: &map, arbiter: Some(ARBITER) });
    let mirrored = data_cpf(&sharded, Dialect::ConfigMirrorArbiter, mirror);
    assert_eq!(
        section(&mirrored, "Actions")[1..],
        [format!(
            "ConfigShardedCluster:{url},Role=auto,Member=auto,MasterRegexp=\"-0-0$\",\
             Regexp=\"-[0-9]+-[0-9]+$\",Map=\"primary,backup\",ArbiterURL={ARBITER}:2188"
        )]
    );
    let old = data_cpf(&sharded, Dialect::StartupArbiter, mirror);
    assert_eq!(section(&old, "Startup")[2], format!("ArbiterURL={ARBITER}:2188"));
    assert_eq!(old.matches("ArbiterURL").count(), 1);
    let compute = compute_cpf(&sharded, true);
    assert_eq!(section(&compute, "Actions")[1..], [format!("ConfigShardedCluster:{url},Role=compute")]);
    assert_eq!(section(&compute, "ECPServers"), [""; 0]);
}

fn database(name: &str, mirrored: bool) -> Database {
    Database { name: name.into(), directory: format!("/data/{name}"), mirrored }
}

#[test]
fn databases_and_namespaces_are_made_there_and_reached_from_compute() {
    let directories = directories();
    let databases = [database("App", true), database("Log", false)];
    let namespaces = [
        Namespace { name: "APP".into(), globals: "App".into(), routines: Some("Code".into()), interop: true },
        Namespace { name: "LOG".into(), globals: "Log".into(), routines: None, interop: false },
    ];
    let common = Common { databases: &databases, namespaces: &namespaces, ..common(&directories) };
    let map = MirrorMap::parse("primary").unwrap();
    let mirror = Some(Mirror { map: &map, arbiter: None });
    let namespaces = [
        "CreateNamespace:Name=APP,Globals=App,Routines=Code,Interop=1",
        "CreateNamespace:Name=LOG,Globals=Log",
    ];
    let data = data_cpf(&common, Dialect::ConfigMirrorArbiter, mirror);
    let actions = section(&data, "Actions");
    assert_eq!(
        actions[actions.len() - 4..][..2],
        [
            "CreateDatabase:Name=App,Directory=/data/App,MirrorSetName=IRISMIRROR1,MirrorDBName=APP",
            "CreateDatabase:Name=Log,Directory=/data/Log",
        ]
    );
    assert_eq!(actions[actions.len() - 2..], namespaces);
    let compute = compute_cpf(&common, true);
    let actions = section(&compute, "Actions");
    assert_eq!(
        actions[actions.len() - 4..][..2],
        [
            "CreateDatabase:Name=App,Directory=:mirror:IRISMIRROR1:APP,Server=IRIS-0,LogicalOnly=1",
            "CreateDatabase:Name=Log,Directory=:ds:LOG,Server=IRIS-0,LogicalOnly=1",
        ]
    );
    assert_eq!(actions[actions.len() - 2..], namespaces);
    // Those of a sharded cluster are reached by ECP as well.
    let compute = compute_cpf(&Common { sharded: true, ..common }, false);
    assert_eq!(section(&compute, "ECPServers"), ["IRIS-0=host,1972,0"]);
}

#[test]
fn connections_with_certificates_use_them() {
    let directories = directories();
    let with = |tls| Common { tls, ..common(&directories) };
    let all = with(CpfTls { mirror: true, superserver: true, ecp: true });
    let map = MirrorMap::parse("primary").unwrap();
    let data = data_cpf(&all, Dialect::ConfigMirrorArbiter, Some(Mirror { map: &map, arbiter: None }));
    let of = |connection: &str| {
        format!(
            "CertificateFile=/irissys/tls/{connection}/tls.crt,PrivateKeyFile=/irissys/tls/{connection}/tls.key"
        )
    };
    assert_eq!(
        section(&data, "Actions")[1..4],
        [
            format!("CreateSSLConfig:Name=%SuperServer,Enabled=1,Type=1,{}", of("superserver")),
            "ModifySystem:Name=SYSTEM,SSLSuperServer=1,SSLECPServer=1".to_owned(),
            "ConfigMirror:Name=IRISMIRROR1,Member=auto,Primary=auto,Map=\"primary\",SSLDir=/irissys/tls/mirror"
                .to_owned(),
        ]
    );
    let compute = compute_cpf(&all, true);
    assert_eq!(section(&compute, "ECPServers"), ["IRIS-0=host,1972,1,1"]);
    assert_eq!(
        section(&compute, "Actions")[2..4],
        [
            "ModifySystem:Name=SYSTEM,SSLSuperServer=1".to_owned(),
            format!(
                "CreateSSLConfig:Name=%ECPClient,Enabled=1,Type=0,VerifyPeer=1,CAFile=/irissys/tls/ecp/ca.pem,{}",
                of("ecp")
            ),
        ]
    );
    // ECP alone: the superserver has that certificate, and demands nothing of other clients.
    let ecp = with(CpfTls { ecp: true, ..CpfTls::default() });
    let data = data_cpf(&ecp, Dialect::ConfigMirrorArbiter, None);
    assert!(section(&data, "Actions")[1].ends_with(&of("ecp")), "{data}");
    assert_eq!(section(&data, "Actions")[2], "ModifySystem:Name=SYSTEM,SSLECPServer=1");
    assert!(!compute_cpf(&ecp, false).contains("%SuperServer"));
}

#[test]
fn users_text_comes_last_in_its_order_and_is_ended_with_a_newline() {
    let text = plain(Some("hash"), &["[config]\nroutines=64", "[config]\nroutines=128\n"]);
    assert!(text.ends_with("\n\n[config]\nroutines=64\n\n[config]\nroutines=128\n"), "{text}");
    assert_eq!(section(&text, "Startup")[2], "PasswordHash=hash");
}

#[test]
fn the_version_decides_the_dialect() {
    use Dialect::{ConfigMirrorArbiter, StartupArbiter};
    for (version, expected) in [
        ("2023.2.0", Some(ConfigMirrorArbiter)),
        ("2023", Some(ConfigMirrorArbiter)),
        ("2025.1", Some(ConfigMirrorArbiter)),
        ("2022.1.3.670.0", Some(StartupArbiter)),
        ("2021.1-linux", Some(StartupArbiter)),
        ("2018.1", Some(StartupArbiter)),
        ("2017.2", None),
        ("latest", None),
        ("", None),
        ("7.2", None),
        ("-2023", None),
    ] {
        assert_eq!(Dialect::of_version(version), expected, "{version}");
    }
}

#[test]
fn a_tag_that_is_no_version_counts_as_the_newest() {
    for image in ["iris", "iris:latest-em", "host:5000/iris", "r/iris@sha256:2021", "host:2021/iris:mine", ""]
    {
        assert_eq!(Dialect::of_tag(image).unwrap_or_default(), Dialect::ConfigMirrorArbiter, "{image}");
    }
    for image in ["iris:2021.1", "host:5000/a/iris:2022.3.0.606.0", "iris:2022.1@sha256:abc"] {
        assert_eq!(Dialect::of_tag(image), Some(Dialect::StartupArbiter), "{image}");
    }
}

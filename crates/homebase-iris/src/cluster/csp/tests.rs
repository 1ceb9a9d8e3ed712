//! Tests of the texts of a web gateway. Must not know which pods there are.

use super::*;

fn ini(additions: &[&str]) -> String {
    let server = |name: &str| Server { name: name.to_owned(), host: format!("{name}.svc") };
    csp_ini(&CspIni {
        servers: &[server("a-0"), server("a-1")],
        alternative: AlternativeServers::FailOver,
        paths: &["/csp".to_owned(), "/api/app".to_owned()],
        login: true,
        tls: false,
        additions,
    })
}

#[test]
fn every_path_has_every_server_once() {
    let text = ini(&[]);
    for path in ["/", "/csp", "/api/app"] {
        let section = format!(
            "[APP_PATH:{path}]\nDefault_Server=a-0\nAlternative_Servers=FailOver\n\
             Alternative_Server_0=1~~~~~~a-0\nAlternative_Server_1=1~~~~~~a-1\n"
        );
        assert_eq!(text.matches(&section).count(), 1, "{text}");
    }
    assert_eq!(text.matches("Username=@login@\nPassword=@login@\n").count(), 2);
    assert!(text.starts_with("[SYSTEM_INDEX]\na-0=Enabled\na-1=Enabled\n"), "{text}");
}

#[test]
fn a_users_section_is_merged_and_its_last_word_counts() {
    let first = "; mine\n[SYSTEM]\nSystem_Manager=*.*.*.*\n[a-1]\r\nTCP_PORT = 51773 \r\n";
    let text = ini(&[first, "[system]\nsystem_manager=10.0.0.1"]);
    assert_eq!(text.matches("[a-1]").count(), 1);
    assert!(text.contains("Ip_Address=a-1.svc\nTCP_Port=51773\n"), "{text}");
    assert!(text.ends_with("[SYSTEM]\nSystem_Manager=10.0.0.1\n"), "{text}");
}

#[test]
fn lines_without_a_section_are_known_to_be_stray() {
    assert!(has_stray_lines("\n# note\nSM_Timeout=1\n[SYSTEM]"));
    assert!(!has_stray_lines("; note\n\n[SYSTEM]\nSM_Timeout=1"));
    assert!(!has_stray_lines(""));
}

#[test]
fn the_root_is_handed_over_only_when_it_is_named() {
    let apache = |paths: &[String]| csp_conf(WebgatewayType::Apache, paths, false);
    assert!(!apache(&[]).contains("<Location \"/\">"));
    assert!(apache(&["/".to_owned()]).contains("<Location \"/\">\n    CSP On\n</Location>\n"));
    let nginx = csp_conf(WebgatewayType::Nginx, &["/api".to_owned()], false);
    assert!(nginx.contains("location /api {\n    CSP On;\n    CSPNSD_pass 127.0.0.1:7038;\n}\n"), "{nginx}");
    assert!(nginx.contains("location /csp/bin/Systems {\n    CSPFileTypes cxw;\n"), "{nginx}");
    assert!(!nginx.contains("<Location"));
}

#[test]
fn every_web_server_serves_its_certificate_on_a_port_that_it_may_have() {
    for (type_, port) in [
        (WebgatewayType::Apache, "<VirtualHost _default_:443>"),
        (WebgatewayType::ApacheLockeddown, "Listen 52443\n"),
        (WebgatewayType::Nginx, "listen 443 ssl;\n"),
    ] {
        let text = csp_conf(type_, &[], true);
        assert!(text.contains(port), "{text}");
        for file in ["/irissys/tls/webgateway/tls.crt", "/irissys/tls/webgateway/tls.key"] {
            assert_eq!(text.matches(file).count(), 1, "{text}");
        }
        assert!(!csp_conf(type_, &[], false).contains("tls"));
    }
}

#[test]
fn a_profile_with_tls_names_the_certificates_of_the_superserver() {
    let server = Server { name: "a-0".to_owned(), host: "a".to_owned() };
    let text = csp_ini(&CspIni {
        servers: &[server],
        alternative: AlternativeServers::FailOver,
        paths: &[],
        login: false,
        tls: true,
        additions: &["[a-0]\nSSLCC_Protocol_Min=32"],
    });
    let profile: Vec<_> = text.lines().skip_while(|line| *line != "[a-0]").skip(5).take(6).collect();
    assert_eq!(
        profile,
        [
            "Connection_Security_Level=10",
            "SSLCC_Protocol_Min=32",
            "SSLCC_Protocol_Max=32",
            "SSLCC_Certificate_File=/irissys/tls/superserver/tls.crt",
            "SSLCC_Certificate_Key_File=/irissys/tls/superserver/tls.key",
            "SSLCC_CA_Certificate_File=/irissys/tls/superserver/ca.pem",
        ]
    );
}

//! Tests of the texts of a web gateway. Must not know which pods there are.

use super::*;

fn ini(additions: &[&str]) -> String {
    let server = |name: &str| Server { name: name.to_owned(), host: format!("{name}.svc") };
    csp_ini(&CspIni {
        servers: &[server("a-0"), server("a-1")],
        alternative: AlternativeServers::FailOver,
        paths: &["/csp".to_owned(), "/api/app".to_owned()],
        login: true,
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
    let apache = |paths: &[String]| csp_conf(WebgatewayType::Apache, paths);
    assert!(!apache(&[]).contains("<Location \"/\">"));
    assert!(apache(&["/".to_owned()]).contains("<Location \"/\">\n    CSP On\n</Location>\n"));
    let nginx = csp_conf(WebgatewayType::Nginx, &["/api".to_owned()]);
    assert!(nginx.contains("location /api {\n    CSP On;\n    CSPNSD_pass 127.0.0.1:7038;\n}\n"), "{nginx}");
    assert!(nginx.contains("location /csp/bin/Systems {\n    CSPFileTypes cxw;\n"), "{nginx}");
    assert!(!nginx.contains("<Location"));
}

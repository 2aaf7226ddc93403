//! Requests that web pages send: under a foreign name (DNS rebinding), and of a foreign origin.

use axum::body::Body;
use axum::http::{Method, Request};

use super::support::TestServer;

/// Status of a request with these headers.
async fn status(server: &TestServer, method: Method, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = server.send(request.body(Body::empty()).expect("a request")).await;
    if answer.status.is_success() {
        return (answer.status.as_u16(), String::new());
    }
    let (status, code, _) = answer.problem();
    (status, code)
}

#[tokio::test]
async fn a_request_under_a_foreign_name_is_refused_with_and_without_remote_access() {
    for remote in ["false", "true"] {
        let server = TestServer::starting(&[("ENGRAIN_SERVER__ALLOW_REMOTE_WITHOUT_KEYS", remote)]);
        for path in ["/v1/owners", "/version", "/metrics", "/v1/export", "/nowhere"] {
            for host in
                ["evil.example:7070", "[::1].evil.example", "localhost.evil.example", "engrain.internal", ""]
            {
                let found = status(&server, Method::GET, path, &[("host", host)]).await;
                assert_eq!(found, (421, "wrong_host".to_owned()), "{path} {host}");
            }
        }
        for host in ["localhost:7070", "127.0.0.1:7070", "[::1]:7070", "10.1.2.3"] {
            let found = status(&server, Method::GET, "/v1/owners", &[("host", host)]).await;
            assert_eq!(found.1, "starting", "{host}");
        }
        let twice = [("host", "localhost"), ("host", "evil.example")];
        assert_eq!(status(&server, Method::GET, "/v1/owners", &twice).await.0, 421);
        assert_eq!(
            status(&server, Method::GET, "http://evil.example/v1/owners", &[("host", "localhost")]).await.0,
            421
        );
        assert_eq!(status(&server, Method::GET, "/health", &[("host", "probe.internal")]).await.0, 200);
    }
}

#[tokio::test]
async fn a_configured_name_is_the_servers_own() {
    let allowed = r#"["engrain", "memory.internal:7070"]"#;
    let server = TestServer::starting(&[("ENGRAIN_SERVER__ALLOWED_HOSTS", allowed)]);
    for host in ["engrain", "ENGRAIN:7070", "memory.internal:7070"] {
        assert_eq!(
            status(&server, Method::GET, "/v1/owners", &[("host", host)]).await.1,
            "starting",
            "{host}"
        );
    }
    for host in ["memory.internal", "memory.internal:7071", "x.engrain"] {
        assert_eq!(status(&server, Method::GET, "/v1/owners", &[("host", host)]).await.0, 421, "{host}");
    }
}

#[tokio::test]
async fn a_request_of_a_foreign_web_page_is_refused() {
    let server =
        TestServer::starting(&[("ENGRAIN_SERVER__ALLOWED_ORIGINS", r#"["https://memory.example"]"#)]);
    let host = ("host", "127.0.0.1:7070");
    let origins = [
        ("http://127.0.0.1:7070", true),
        ("https://memory.example", true),
        ("https://memory.example:443", true),
        ("http://memory.example", false),
        ("http://127.0.0.1:3000", false),
        ("http://localhost:7070", false),
        ("https://evil.example", false),
        ("null", false),
        ("", false),
    ];
    for (origin, is_allowed) in origins {
        for (method, path) in [(Method::GET, "/v1/owners"), (Method::POST, "/v1/admin/backup")] {
            let found = status(&server, method, path, &[host, ("origin", origin)]).await;
            assert_eq!(found.1, if is_allowed { "starting" } else { "foreign_origin" }, "{path} {origin}");
        }
    }
    for site in ["cross-site", "same-site", "odd"] {
        let found = status(&server, Method::GET, "/v1/export", &[host, ("sec-fetch-site", site)]).await;
        assert_eq!(found, (403, "foreign_origin".to_owned()), "an image of a page: {site}");
        assert_eq!(
            status(&server, Method::GET, "/openapi.json", &[host, ("sec-fetch-site", site)]).await.0,
            200
        );
    }
    for site in ["same-origin", "none"] {
        let found = status(&server, Method::GET, "/v1/owners", &[host, ("sec-fetch-site", site)]).await;
        assert_eq!(found.1, "starting", "{site}");
    }
}

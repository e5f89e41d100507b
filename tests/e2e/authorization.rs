//! Who may do what: every route of the API for every kind of caller. The routes come from the API's own document, so that
//! one without a line here fails the test.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, PASSWORD, Server, User, http, python};

/// Who asks for things of `owner`, who belongs to site A: a stranger, he himself, his colleague, his administrator, a
/// member and an administrator of site B, the operator. `y` may, `-` may not.
const ALL: &str = "yyyyyyy";
const LOGGED_IN: &str = "-yyyyyy";
const HIS: &str = "-y-y--y";
const OF_HIS_SITE: &str = "-yyy--y";
const ADMINISTERED: &str = "---y--y";
const ADMINISTRATORS: &str = "---y-yy";
const OPERATOR: &str = "------y";
const NOBODY: &str = "-------";

/// What is told to whom may not.
const DENIED: [&str; 4] = ["not_logged_in", "not_allowed", "not_found", "no_such_meeting"];

fn expected(route: &str) -> Option<(&'static str, Value)> {
    let account = json!({"name": "new", "display_name": "新人", "password": "weak", "mode": "shared"});
    let booking = json!({"title": "会", "start": "2020-01-01T00:00:00Z"});
    let calling = json!({"allowed": true, "calls_max": 10, "minutes_per_day": 100, "budget_per_day": null,
        "same_number_per_hour": 5, "prefixes": []});
    let site = json!({"name": "站点", "ports": 200, "livestream": true, "zone": "UTC"});
    Some(match route {
        "GET /info" | "GET /sign-on" | "GET /sign-on/callback" | "GET /broadcasts/{id}" => (ALL, Value::Null),
        "GET /meetings/by-number/{number}" | "POST /logout" => (ALL, Value::Null),
        "POST /login" => (ALL, json!({"name": "nobody", "password": "wrong"})),
        "POST /password-resets" => (ALL, json!({"name": "nobody", "by": "email"})),
        "PUT /password-resets" => (ALL, json!({"secret": "guessed", "new_password": "Another-2026"})),
        "GET /me" | "GET /meetings" | "GET /free-slots" | "GET /capacity" | "GET /recordings" => {
            (LOGGED_IN, Value::Null)
        }
        // The watch page is public unless its meeting's owner says otherwise: tests/e2e/audience.rs.
        "POST /broadcasts/{id}/viewers" => (ALL, json!({"viewer": "00112233445566778899aabbccddeeff"})),
        // Of a webinar, which this meeting is not: tests/e2e/webinar.rs.
        "POST /broadcasts/{id}/registrations" => (NOBODY, json!({"name": "乙", "email": "b@example.com"})),
        "GET /meetings/{id}/registrants" | "GET /meetings/{id}/registrants.csv" => (HIS, Value::Null),
        "PUT /meetings/{id}/registrants/{registrant}" => (NOBODY, json!({"approved": true})),
        "GET /meetings/{id}/networks" => (HIS, Value::Null),
        "GET /meetings/{id}/watch" => (HIS, Value::Null),
        "PUT /meetings/{id}/watch" => (HIS, json!({"access": "public"})),
        // There is none to see or take back, and none is made by this name: tests/e2e/whip.rs.
        "GET /meetings/{id}/encoder-token" | "DELETE /meetings/{id}/encoder-token" => (NOBODY, Value::Null),
        "POST /meetings/{id}/encoder-token" => (HIS, json!({"name": ""})),
        "GET /me/bookmarks" => (LOGGED_IN, Value::Null),
        "POST /me/bookmarks" => (LOGGED_IN, json!({"name": "页", "url": "ftp://none"})),
        // There is none of this name for anybody: one's own are in tests/e2e/sharing.rs.
        "DELETE /me/bookmarks/{id}" => (NOBODY, Value::Null),
        "GET /me/phone-pin" | "POST /me/phone-pin" | "GET /me/reminders" => (LOGGED_IN, Value::Null),
        "PATCH /me" => (LOGGED_IN, json!({"mobile": ""})),
        "POST /me/password" => (LOGGED_IN, json!({"old_password": "wrong", "new_password": "Another-2026"})),
        "POST /meetings" => (LOGGED_IN, booking),
        "GET /meetings/{id}" | "DELETE /meetings/{id}" | "GET /meetings/{id}/occurrences" => (HIS, Value::Null),
        "GET /meetings/{id}/invitations" | "GET /meetings/{id}/calendar.ics" => (HIS, Value::Null),
        "GET /meetings/{id}/occurrences/{occurrence}" | "DELETE /meetings/{id}/occurrences/{occurrence}" => {
            (HIS, Value::Null)
        }
        "PUT /meetings/{id}" => (HIS, booking),
        "PUT /meetings/{id}/occurrences/{occurrence}" => (HIS, json!({"start": "2020-01-01T00:00:00Z"})),
        "POST /meetings/{id}/invitations" => (HIS, json!({"emails": ["none"]})),
        "GET /accounts/{id}" => (HIS, Value::Null),
        "PATCH /accounts/{id}" => (HIS, json!({"mobile": ""})),
        "GET /sites/{site}/rooms" => (OF_HIS_SITE, Value::Null),
        "GET /sites/{site}" | "GET /sites/{site}/accounts" | "GET /sites/{site}/webhooks" => {
            (ADMINISTERED, Value::Null)
        }
        "GET /sites/{site}/audit" | "DELETE /sites/{site}/webhooks/{id}" => (ADMINISTERED, Value::Null),
        "PUT /sites/{site}" => (ADMINISTERED, site),
        "POST /sites/{site}/accounts" => (ADMINISTERED, account),
        "POST /sites/{site}/rooms" => (ADMINISTERED, json!({"name": "", "capacity": 10})),
        "POST /sites/{site}/webhooks" => (ADMINISTERED, json!({"url": "ftp://none", "events": []})),
        "GET /sites/{site}/calls" | "GET /sites/{site}/calls.csv" => (ADMINISTERED, Value::Null),
        "GET /sites/{site}/calling" => (ADMINISTERED, Value::Null),
        "GET /sites/{site}/prompts" => (ADMINISTERED, Value::Null),
        "PUT /sites/{site}/calling" => (OPERATOR, calling),
        "GET /calls" => (OPERATOR, Value::Null),
        "GET /sites" => (ADMINISTRATORS, Value::Null),
        "POST /sites" => (OPERATOR, json!({"name": "", "ports": 10, "livestream": false, "zone": "UTC"})),
        // Of a call that must have been: tests/e2e/calls.rs.
        "GET /calls/{id}" | "GET /calls/{id}/ladder.txt" | "GET /calls/{id}/ladder.pcap" => return None,
        // Of a prompt that must be: tests/e2e/calls.rs.
        "GET /sites/{site}/prompts/{language}/{prompt}"
        | "PUT /sites/{site}/prompts/{language}/{prompt}"
        | "DELETE /sites/{site}/prompts/{language}/{prompt}" => return None,
        // Of a film that must have been made: tests/e2e/recording.rs.
        // Whoever was told its key: tests/e2e/api.rs.
        "GET /avatars/{key}" => (NOBODY, Value::Null),
        // A seat's, not an account's: tests/e2e/api.rs.
        "POST /meetings/{id}/files" | "GET /meetings/{id}/files/{file}" => return None,
        "GET /meetings/{id}/whiteboard" | "PUT /meetings/{id}/whiteboard" => return None,
        "GET /meetings/{id}/growth" => return None,
        "GET /recordings/{id}/file"
        | "GET /recordings/{id}/captions"
        | "GET /recordings/{id}/tracks/{number}"
        | "DELETE /recordings/{id}" => return None,
        _ => panic!("say who may {route}"),
    })
}

async fn make_account(operator: &User, server: &Server, site: &str, name: &str, role: &str) -> Result<(User, String)> {
    let new = json!({"name": name, "display_name": name, "password": PASSWORD, "mode": "dedicated", "role": role});
    let made = operator.post(&format!("/sites/{site}/accounts"), new).await?;
    let id = made.body["account"]["id"].as_str().with_context(|| made.body.to_string())?.to_owned();
    Ok((User::login(server, name).await?, id))
}

// product: L8, A2
#[tokio::test]
async fn every_route_lets_in_whom_it_should_and_nobody_else() -> Result<()> {
    let server = Server::start_with(&[("HUITONG_WEBHOOKS__PRIVATE", "true")])?;
    let operator = User::login(&server, "host").await?;
    let a = operator.get("/me").await?["account"]["site_id"].as_str().context("a site")?.to_owned();
    let b = operator.post("/sites", json!({"name": "乙", "ports": 10, "livestream": false, "zone": "UTC"})).await?;
    let b = b.body["id"].as_str().with_context(|| b.body.to_string())?.to_owned();
    let (owner, owner_id) = make_account(&operator, &server, &a, "owner", "member").await?;
    let others = [
        (a.as_str(), "colleague", "member"),
        (a.as_str(), "administrator-a", "administrator"),
        (b.as_str(), "member-b", "member"),
        (b.as_str(), "administrator-b", "administrator"),
    ];
    let mut actors = vec![User { web: server.web, cookie: String::new() }];
    actors.push(User { web: server.web, cookie: owner.cookie.clone() });
    for (site, name, role) in others {
        actors.push(make_account(&operator, &server, site, name, role).await?.0);
    }
    actors.push(operator);
    let operator = User::login(&server, "host").await?;
    let stranger = &actors[0];
    let door = stranger.get(&format!("/meetings/by-number/{}", server.meeting)).await?;
    let broadcast = door["id"].as_str().context("an id")?;

    let document = stranger.get("/openapi.json").await?;
    let mut routes = BTreeMap::new();
    for (path, methods) in document["paths"].as_object().context("paths")? {
        for method in methods.as_object().context("methods")?.keys() {
            let path = path.trim_start_matches("/api/v1");
            // Who logs out is no more what he was.
            routes.insert((path == "/logout", path.to_owned(), method.to_uppercase()), ());
        }
    }
    assert!(routes.len() > 30, "{routes:?}");
    let start = in_a_month();
    let query = "?day=2030-01-01&zone=UTC&start=2030-01-01T00:00:00Z&duration=60&capacity=2";
    for (_, path, method) in routes.into_keys() {
        let route = format!("{method} {path}");
        let Some((may, body)) = expected(&route) else { continue };
        for (actor, may) in actors.iter().zip(may.chars()) {
            let mut url = path.replace("{site}", &a).replace("{number}", &server.meeting);
            if path.starts_with("/meetings/{id}") {
                // What is deleted by one is there for the next.
                let booking = json!({"title": "会", "start": start, "recurrence": "FREQ=DAILY;COUNT=2"});
                let booked = owner.post("/meetings", booking).await?;
                let id = booked.body["id"].as_str().with_context(|| booked.body.to_string())?;
                url = url.replace("{id}", id).replace("{occurrence}", &start);
            } else if path.contains("/webhooks/{id}") {
                let hook = json!({"url": "https://192.0.2.1/", "events": []});
                let made = operator.post(&format!("/sites/{a}/webhooks"), hook).await?;
                url = url.replace("{id}", made.body["id"].as_str().with_context(|| made.body.to_string())?);
            }
            url = url.replace("{id}", if path.starts_with("/accounts") { &owner_id } else { broadcast });
            let answer =
                actor.ask(Method::from_bytes(method.as_bytes())?, &format!("{url}{query}"), body.clone(), &[]).await?;
            let said = answer.body["code"].as_str().unwrap_or_default();
            let is_in = !DENIED.contains(&said);
            let who = actors.iter().position(|one| std::ptr::eq(one, actor));
            assert_eq!(is_in, may == 'y', "{route} for {who:?}: {} {}", answer.status, answer.body);
            assert!(answer.status < 500, "{route}: {} {}", answer.status, answer.body);
        }
    }
    Ok(())
}

fn in_a_month() -> String {
    let now = jiff::Timestamp::now().as_second();
    jiff::Timestamp::from_second((now / 3600 + 720) * 3600).expect("a time of this century").to_string()
}

// product: A2
#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_no_route_breaks_or_answers_what_it_does_not_document() -> Result<()> {
    let server = Server::start()?;
    let cookie = Client::login(server.web, "host", PASSWORD).await?;
    drop(http());
    let url = format!("http://{}/api/v1/openapi.json", server.web);
    let folder = tempfile::tempdir()?;
    let mut schemathesis = python();
    schemathesis
        .args(["-m", "schemathesis.cli", "run", &url, "-H", &format!("Cookie: {cookie}")])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        // Logging out would end the run; the sign-on leads elsewhere.
        .args(["--exclude-path", "/api/v1/logout", "--exclude-path-regex", "sign-on"])
        .args(["--max-examples", "15", "--seed", "1", "--phases", "examples,coverage,fuzzing", "--no-color"])
        .current_dir(folder.path());
    let output = tokio::task::spawn_blocking(move || schemathesis.output()).await??;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!server.log().contains("panicked"), "{}", server.log());
    Ok(())
}

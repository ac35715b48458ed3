//! A secret stands nowhere but sealed in the database and in the file it came from.

use super::*;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::databases;

both!(secrets_appear_nowhere, EVERYONE, |s| {
    let planted = "PLANTED~wrong~secret~8Q~never~to~be~seen";
    let first = s.tenant.secret.clone();
    s.home.set("PLANTED", planted);
    let mut said = String::new();
    let mut say = |s: &Story, words: &[&str]| -> Result<()> {
        for more in [&[][..], &["-vv"]] {
            let ended = s.home.run(&[words, more].concat())?;
            ensure!(!ended.stderr.contains("panicked"), "{ended:?}");
            said.push_str(&format!("$ {words:?} {more:?}\n{}\n{}\n", ended.stdout, ended.stderr));
        }
        Ok(())
    };

    let ids = six(s)?;
    let url = s.entra.url().to_owned();
    let (tenant, client) = (s.tenant.id.clone(), s.tenant.client_id.clone());
    let add = [
        "connections",
        "add",
        "second",
        "--tenant",
        &tenant,
        "--client-id",
        &client,
        "--secret-env",
        "PLANTED",
        "--login-url",
        &url,
    ];
    say(s, &[&add[..], &["--graph-url", &url]].concat())?;
    say(s, &[&add[..], &["--graph-url", &url, "--json"]].concat())?;
    // A secret given where none belongs, as people do in haste.
    say(s, &[&add[..8], &["PLANTED", "--login-url", "http://127.0.0.1:1", "--graph-url", &url]].concat())?;
    s.changes(&ids[0], json!({ "jobTitle": "Head clerk" }))?;
    say(s, &["sync", "acme"])?;
    say(s, &["sync", "acme", "--full", "--json"])?;
    say(s, &["connections", "test", "acme"])?;
    say(s, &["connections", "test", "acme", "--json"])?;
    say(s, &["connections", "list", "--json"])?;
    say(s, &["secrets", "list", "--json"])?;
    for action in [json!({ "do": "garbage" }), json!({ "do": "status", "status": 403 }), json!({ "do": "access_token_expired" })]
    {
        // As often as `say` asks.
        s.fault(json!({ "path": "/v1.0/users/delta*", "times": 2, "action": action }))?;
        say(s, &["sync", "acme", "--json"])?;
    }
    say(s, &["secrets", "set", "acme", "--secret-env", "PLANTED"])?;
    say(s, &["sync", "acme"])?;
    say(s, &["connections", "test", "acme", "--json"])?;
    say(s, &["doctor"])?;
    say(s, &["doctor", "--json"])?;
    let new = s.entra(Method::POST, "/secret/rotate", &Value::Null)?["client_secret"].as_str().unwrap_or_default().to_owned();
    s.home.set("NEW_SECRET", &new);
    s.home.done(&["secrets", "set", "acme", "--secret-env", "NEW_SECRET"])?;
    s.home.done(&["secrets", "rotate"])?;
    s.synced_well(&[])?;
    say(s, &["sync", "acme", "--json"])?;
    say(s, &["runs", "list", "--json"])?;
    say(s, &["runs", "show", "1", "--json"])?;
    say(s, &["explain", "acme", &ids[0], "--json"])?;
    say(s, &["tenants", "show", "acme", "--json"])?;
    say(s, &["records", "export", "-"])?;
    said.push_str(&s.dump()?);

    let secrets = [planted, &first, &new];
    for secret in secrets {
        ensure!(secret.len() >= 20, "worth searching for: {secret}");
        let text = said.find(secret).map(|at| said[..at].lines().rev().take(3).collect::<Vec<_>>().join(" | "));
        ensure!(text.is_none(), "a secret is told after: {text:?}");
    }
    // A bearer token is as good as a secret for an hour: its head is always the same.
    ensure!(!said.contains("eyJ"), "a token is told");
    let content = databases::content(s.database())?;
    ensure!(content.windows(tenant.len()).any(|w| w == tenant.as_bytes()), "the content is what it should be");
    for secret in secrets {
        // A dump shows bytes in hexadecimal.
        let hexadecimal = hex::encode(secret);
        for form in [secret, hexadecimal.as_str()] {
            ensure!(!content.windows(form.len()).any(|w| w == form.as_bytes()), "a secret stands in the database");
        }
    }
    for entry in std::fs::read_dir(s.home.folder())?.flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        for secret in secrets {
            ensure!(
                !bytes.windows(secret.len()).any(|w| w == secret.as_bytes()),
                "a secret stands in {}",
                entry.path().display()
            );
        }
    }
    Ok(())
});

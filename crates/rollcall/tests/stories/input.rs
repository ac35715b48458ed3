//! Bad input: one clear message with the next step, an exit code that is not 0, and all data as it was.

use super::*;
use std::sync::Arc;
use testkit::binary::Ended;
use testkit::databases;
use testkit::simulator::Entra;

/// That a command failed with this code and one message that says all of this.
fn refused(ended: &Ended, code: i32, says: &[&str]) -> Result<()> {
    ensure!(ended.code == Some(code), "{ended:?}");
    let said = format!("{}{}", ended.stdout, ended.stderr);
    for word in says {
        ensure!(said.contains(word), "\"{word}\" is missing: {ended:?}");
    }
    ensure!(!said.contains("panicked") && !said.contains("RUST_BACKTRACE"), "{ended:?}");
    Ok(())
}

/// The words that connect the story's tenant, with one of them replaced.
fn adding(s: &Story, option: &str, value: &str) -> Vec<String> {
    let mut words = s.adding("second");
    if let Some(at) = words.iter().position(|word| word == option) {
        value.clone_into(&mut words[at + 1]);
    }
    words
}

both!(a_connection_that_cannot_be_made_leaves_nothing, EVERYONE, |s| {
    let before = s.dump()?;
    let listed = s.home.done(&["connections", "list", "--json"])?.stdout;
    s.home.set("WRONG", "not-the-secret");
    refused(&s.home.run(&adding(s, "--secret-env", "WRONG"))?, 1, &["secret", "is wrong", "Certificates & secrets"])?;
    refused(&s.home.run(&adding(s, "--secret-env", "UNSET_VARIABLE"))?, 1, &["UNSET_VARIABLE", "export"])?;
    refused(&s.home.run(&adding(s, "--tenant", "nowhere.example"))?, 1, &["nowhere.example", "check the tenant id"])?;
    refused(
        &s.home.run(&adding(s, "--client-id", "99999999-9999-4999-8999-999999999999"))?,
        1,
        &["99999999-9999-4999-8999-999999999999", "check the client id"],
    )?;
    // Port 1 of this machine: nothing listens there.
    refused(&s.home.run(&adding(s, "--login-url", "http://127.0.0.1:1"))?, 1, &["127.0.0.1:1", "cannot be reached"])?;
    refused(&s.home.run(&s.adding("acme"))?, 1, &["acme", "another name"])?;
    refused(&s.home.run(&s.adding("second"))?, 1, &["connected already"])?;
    refused(&s.home.run(&["sync", "nobody"])?, 1, &["nobody", "rollcall tenants list"])?;
    refused(&s.home.run(&["sync"])?, 2, &["TENANT"])?;
    ensure!(s.dump()? == before && s.home.done(&["connections", "list", "--json"])?.stdout == listed, "all is as it was");
    Ok(())
});

both!(an_invalid_policy_is_refused_with_its_position, EVERYONE, |s| {
    let file = s.file("bad.yaml", "preset: bms\nscope:\n  guests: sometimes\n")?;
    let before = s.dump()?;
    let kept = s.home.done(&["policy", "export", "acme"])?.stdout;
    for words in [&["policy", "check", &file][..], &["policy", "import", &file, "--tenant", "acme"]] {
        refused(&s.home.run(words)?, 1, &["3:11", "guests", "exclude"])?;
    }
    let later = s.file("later.yaml", "preset: bms\nlifecycle:\n  grace: 1h\n  cel: x\n")?;
    refused(&s.home.run(&["policy", "check", &later])?, 1, &["4:3"])?;
    ensure!(
        s.dump()? == before && s.home.done(&["policy", "export", "acme"])?.stdout == kept,
        "the policy that decided goes on deciding"
    );
    Ok(())
});

both!(tokens_that_are_never_accepted_are_told_and_leave_all_as_it_was, EVERYONE, |s| {
    six(s)?;
    let before = s.dump()?;
    s.fault(serde_json::json!({ "path": "/v1.0/users/delta*", "times": 50, "action": { "do": "status", "status": 401 } }))?;
    let synced = s.sync(&[])?;
    ends(&synced, 1, "failed")?;
    ensure!(!synced.error().is_empty() && s.dump()? == before, "{synced:?}");
    Ok(())
});

#[test]
fn an_unreachable_directory_is_told_and_leaves_all_as_it_was() -> Result<()> {
    let options = simulator::Options { tenants: 1, users: 0, groups: 0, ..simulator::Options::default() };
    let entra = Arc::new(Entra::start(options)?);
    let mut s = Story::within(Path::new(PROGRAM), On::Sqlite, EVERYONE, entra, 0)?;
    six(&s)?;
    let before = s.dump()?;
    // The simulator this tenant lives in ends with its last user.
    s.entra = begin(On::Sqlite, EVERYONE)?.entra;
    let synced = s.sync(&[])?;
    ends(&synced, 1, "failed")?;
    ensure!(synced.error().contains("cannot be reached") && synced.error().contains("firewall"), "{synced:?}");
    ensure!(s.dump()? == before, "all is as it was");
    refused(&s.home.run(&["connections", "test", "acme"])?, 1, &["cannot be reached"])?;
    refused(&s.home.run(&["doctor"])?, 1, &["cannot be reached"])
}

both!(a_database_from_the_future_is_refused, EVERYONE, |s| {
    six(s)?;
    let before = s.dump()?;
    databases::execute(s.database(), "INSERT INTO schema_migrations (number, checksum, applied_at) VALUES (9999, 'later', 0)")?;
    for words in [&["sync", "acme"][..], &["tenants", "list"], &["migrate"], &["doctor"]] {
        refused(&s.home.run(words)?, 1, &["newer"])?;
    }
    databases::execute(s.database(), "DELETE FROM schema_migrations WHERE number = 9999")?;
    ensure!(s.dump()? == before, "all is as it was");
    Ok(())
});

both!(a_port_in_use_is_told, EVERYONE, |s| {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    s.home.set("ROLLCALL_LISTEN", &address);
    refused(&s.home.run(&["serve"])?, 1, &[&address])
});

#[test]
fn databases_that_are_none_are_refused() -> Result<()> {
    let mut home = testkit::binary::Home::new(PROGRAM, None)?;
    std::fs::write(
        home.folder().join("text.db"),
        "this is a letter, and no database at all, however long it may be\n".repeat(100),
    )?;
    home.set("ROLLCALL_DATABASE__URL", &format!("sqlite://{}", home.folder().join("text.db").display()));
    refused(&home.run(&["tenants", "list"])?, 1, &["database"])?;
    home.set("ROLLCALL_DATABASE__URL", "mysql://localhost/x");
    refused(&home.run(&["tenants", "list"])?, 1, &["sqlite://", "postgres://"])?;
    home.set("ROLLCALL_DATABASE__URL", "postgres://nobody@127.0.0.1:1/none");
    refused(&home.run(&["tenants", "list"])?, 1, &["127.0.0.1"])?;
    home.set("ROLLCALL_SYNC__LEASE", "soon");
    refused(&home.run(&["tenants", "list"])?, 1, &["sync.lease"])
}

/// A Graph whose users lead in a circle, for one program: the address.
fn circle() -> Result<String> {
    use std::io::{BufRead, BufReader, Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let home = format!("http://{}", listener.local_addr()?);
    let url = home.clone();
    std::thread::spawn(move || {
        for (n, stream) in listener.incoming().filter_map(Result::ok).enumerate() {
            let mut reader = BufReader::new(&stream);
            let (mut first, mut length) = (String::new(), 0);
            let _ = reader.read_line(&mut first);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                let header = line.to_ascii_lowercase();
                length = header.strip_prefix("content-length:").and_then(|v| v.trim().parse().ok()).unwrap_or(length);
                line.clear();
            }
            let _ = reader.take(length).read_to_end(&mut Vec::new());
            let body = if first.contains("/token") {
                serde_json::json!({ "access_token": "token", "expires_in": 3_600 })
            } else if first.contains("/organization") {
                serde_json::json!({ "value": [{ "id": "11111111-1111-4111-8111-111111111111", "displayName": "Circle" }] })
            } else {
                let next = format!("{home}/v1.0/users/delta?$skiptoken={}", n % 3);
                serde_json::json!({ "value": [{ "id": "u1", "mail": "u1@circle.example" }], "@odata.nextLink": next })
            };
            let body = body.to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
            let _ = write!(&stream, "{head}\r\nconnection: close\r\n\r\n{body}");
        }
    });
    Ok(url)
}

#[test]
fn a_directory_without_an_end_is_left_and_nobody_is_written() -> Result<()> {
    let url = circle()?;
    let mut home = testkit::binary::Home::new(PROGRAM, None)?;
    home.set("ENTRA_SECRET", "a secret");
    let add =
        ["connections", "add", "circle", "--tenant", "circle.example", "--client-id", "app", "--secret-env", "ENTRA_SECRET"];
    home.done(&[&add[..], &["--graph-url", &url, "--login-url", &url]].concat())?;
    home.done(&["tenants", "map", "circle", "--client", "Circle", "--create"])?;
    for _ in 0..2 {
        refused(&home.run(&["sync", "circle", "--yes"])?, 1, &["has no end", "the next run reads it from its beginning"])?;
    }
    let records = home.done(&["records", "export", "-"])?.stdout;
    ensure!(records.lines().count() == 1, "nobody is written: {records}");
    Ok(())
}

#[test]
fn a_reader_who_stops_is_no_failure_and_a_full_disk_is_one() -> Result<()> {
    use std::process::{Command, Stdio};
    let mut child = Command::new(PROGRAM).arg("openapi").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    drop(child.stdout.take());
    let ended = child.wait_with_output()?;
    ensure!(ended.status.code() == Some(0) && ended.stderr.is_empty(), "{ended:?}");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
    let ended = Command::new(PROGRAM).arg("openapi").stdout(full).output()?;
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(ended.status.code() == Some(1) && said.contains("could not be written"), "{ended:?}");
    ensure!(!said.contains("panicked"), "{said}");
    Ok(())
}

#[test]
fn settings_that_cannot_be_meant_are_refused_before_anything_is_made() -> Result<()> {
    let mut home = testkit::binary::Home::new(PROGRAM, None)?;
    home.set("ROLLCALL_PUBLIC_URL", "ftp://rollcall.example");
    refused(&home.run(&["serve"])?, 1, &["public_url", "https://HOST"])?;
    home.set("ROLLCALL_PUBLIC_URL", "");
    home.set("ROLLCALL_LISTEN", "localhost:8080");
    refused(&home.run(&["serve"])?, 1, &["listen", "127.0.0.1:8080"])?;
    home.set("ROLLCALL_LISTEN", "127.0.0.1:0");
    home.set("ROLLCALL_MASTER_KEY_FILE", "/dev/zero");
    refused(&home.run(&["tenants", "list"])?, 1, &["/dev/zero", "longer than"])?;
    ensure!(std::fs::read_dir(home.folder())?.next().is_none(), "nothing was made");
    Ok(())
}

/// A scenario of one user, who gets a record of this kind.
fn scenario(kind: &str, expected: &str) -> String {
    format!(
        "name: a {kind}\npolicy: {{ preset: bms, rules: [ {{ id: all, order: 1, when: {{}}, then: {{ kind: {kind} }} }} ] }}\n\
         tenant: {{ id: t, domain: acme.example, client: acme }}\n\
         entra: {{ users: [ {{ id: u, surname: Byron, userPrincipalName: ada@acme.example }} ] }}\n\
         records: {{ clients: [ {{ id: acme, name: Acme }} ] }}\n\
         steps: [ {{ expect: {{ changes: [ {{ do: create, kind: {expected} }} ] }} }} ]\n"
    )
}

#[test]
fn a_folder_of_scenarios_is_run_whole_with_totals() -> Result<()> {
    let home = testkit::binary::Home::new(PROGRAM, None)?;
    let folder = home.folder().join("scenarios");
    std::fs::create_dir_all(folder.join("more/deep"))?;
    std::fs::create_dir_all(folder.join(".git"))?;
    std::fs::write(folder.join("b.yaml"), scenario("agent", "agent"))?;
    std::fs::write(folder.join("more/deep/a.yml"), [scenario("contact", "contact"), scenario("agent", "agent")].join("---\n"))?;
    std::fs::write(folder.join("notes.txt"), "no scenario")?;
    std::fs::write(folder.join(".git/c.yaml"), "no scenario either")?;
    let folder = folder.display().to_string();
    let passed = home.done(&["policy", "test", &folder])?;
    ensure!(passed.stdout.contains("3 passed, 0 failed (2 files)"), "{passed:?}");
    let told = home.done(&["policy", "test", &folder, "--json"])?.json()?;
    ensure!(told["passed"] == 3 && told["scenarios"].as_array().is_some_and(|s| s.len() == 3), "{told}");
    std::fs::write(home.folder().join("scenarios/more/wrong.yaml"), scenario("agent", "contact"))?;
    refused(&home.run(&["policy", "test", &folder])?, 1, &["more/wrong.yaml", "3 passed, 1 failed (3 files)"])?;
    let empty = home.folder().join("empty");
    std::fs::create_dir(&empty)?;
    refused(
        &home.run(&["policy", "test", &empty.display().to_string()])?,
        1,
        &["no scenario file", "empty", "Name another folder"],
    )?;
    Ok(())
}

//! Several processes on one database.

use super::*;
use serde_json::json;

both!(processes_that_sync_one_tenant_at_once_do_everything_once, EVERYONE, |s| {
    let names: Vec<String> = (0..40).map(|n| format!("user{n:02}")).collect();
    for name in &names {
        s.joins(name, json!({}))?;
    }
    let homes = [others(s)?, others(s)?];
    let running = [homes[0].start(&["sync", "acme", "--yes", "--json"])?, homes[1].start(&["sync", "acme", "--yes", "--json"])?];
    for running in running {
        let ended = running.wait()?;
        ensure!(ended.code == Some(0), "each ends well, the later one with nothing to do: {ended:?}");
    }
    let people = s.people()?;
    ensure!(people.len() == 40, "nobody twice, nobody lost: {}", people.len());
    let dump = s.dump()?;
    ensure!(dump.lines().filter(|l| l.starts_with("change\t")).count() == 40, "the journal shows each once");
    ensure!(s.sync(&[])?.nothing(), "nothing is left");
    Ok(())
});

/// Another place from which the program is started on the same database, with the same key.
fn others(s: &Story) -> Result<testkit::binary::Home> {
    let mut home = testkit::binary::Home::new(PROGRAM, Some(s.database()))?;
    home.set("ROLLCALL_MASTER_KEY_FILE", &s.home.folder().join("master.key").display().to_string());
    Ok(home)
}

both!(one_approval_given_twice_at_once_is_applied_once, EVERYONE, |s| {
    for n in 0..20 {
        s.joins(&format!("user{n:02}"), json!({}))?;
    }
    let held = s.sync(&[])?;
    let words = ["runs", "approve", &held.id(), "--hash", held.hash()].map(str::to_owned);
    let homes = [others(s)?, others(s)?];
    let running = [homes[0].start(&words)?, homes[1].start(&words)?];
    let mut done = 0;
    for running in running {
        let ended = running.wait()?;
        done += i32::from(ended.code == Some(0));
    }
    ensure!(done >= 1, "at least one was let through");
    s.sync(&[])?;
    ensure!(s.people()?.len() == 20 && s.dump()?.lines().filter(|l| l.starts_with("change\t")).count() == 20, "each change once");
    Ok(())
});

both!(a_record_that_the_database_refuses_fails_alone_and_is_made_once_it_may_be, EVERYONE, |s| {
    for name in ["ada", "bea", "cem", "dag"] {
        s.joins(name, json!({ "givenName": if name < "cem" { "Twin" } else { name } }))?;
    }
    // Somebody else's hand in the database: of two records of this name it refuses one.
    testkit::databases::execute(s.database(), "CREATE UNIQUE INDEX one_twin ON people (first_name) WHERE first_name = 'Twin'")?;
    let first = s.sync(&["--yes"])?;
    ends(&first, 0, "done")?;
    ensure!(first.count("applied") == 3 && first.count("failed") == 1, "the others are made, and it is counted: {first:?}");
    ensure!(s.people()?.len() == 3, "nobody twice: the first attempt left nothing");
    let again = s.sync(&[])?;
    ensure!(again.count("failed") == 1 && s.people()?.len() == 3, "tried again, refused again: {again:?}");
    testkit::databases::execute(s.database(), "DROP INDEX one_twin")?;
    let last = s.sync(&[])?;
    ensure!(last.count("applied") == 1 && s.people()?.len() == 4, "nothing stands in the way any more: {last:?}");
    ensure!(s.sync(&[])?.nothing(), "nothing is left");
    Ok(())
});

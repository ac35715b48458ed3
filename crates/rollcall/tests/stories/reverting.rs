//! Undo: an applied run taken back by a plan that is shown, approved by its hash, and can be taken back itself.

use super::*;
use model::Status;
use serde_json::{Value, json};

/// The plan that takes a run back.
struct Plan(Value);

impl Plan {
    fn of(s: &Story, run: &str) -> Result<Self> {
        Ok(Self(s.home.done(&["runs", "revert", run, "--json"])?.json()?))
    }

    fn id(&self) -> String {
        self.0["run"]["id"].to_string()
    }

    fn verbs(&self) -> Vec<&str> {
        self.0["changes"].as_array().into_iter().flatten().filter_map(|c| c["do"].as_str()).collect()
    }

    fn left(&self) -> Vec<&str> {
        self.0["reports"].as_array().into_iter().flatten().filter_map(|r| r["detail"].as_str()).collect()
    }

    fn approve(&self, s: &Story) -> Result<()> {
        let hash = self.0["run"]["hash"].as_str().unwrap_or_default();
        s.home.done(&["runs", "approve", &self.id(), "--hash", hash]).map(|_| ())
    }
}

/// What a person's record says, but for how often it was written.
fn says(s: &Story, name: &str) -> Result<String> {
    let mut person = s.person(name)?;
    person.version = 0;
    Ok(format!("{person:?}"))
}

both!(undo_a_revert_is_shown_first_and_puts_every_value_back, EVERYONE, |s| {
    let ids = six(s)?;
    let before = says(s, "ada")?;
    s.changes(&ids[0], json!({ "jobTitle": "Countess", "surname": "Lovelace" }))?;
    let run = s.synced_well(&[])?;
    let after = says(s, "ada")?;
    ensure!(after != before, "the run changed her");

    let plan = Plan::of(s, &run.id())?;
    ensure!(plan.verbs() == ["update"] && plan.0["run"]["state"] == "ready" && plan.0["run"]["kind"] == "revert", "{}", plan.0);
    ensure!(plan.0["changes"][0]["why"][0] == format!("Takes back what run {} did: update.", run.id()), "{}", plan.0);
    ensure!(says(s, "ada")? == after, "showing writes nothing");
    plan.approve(s)?;
    ensure!(says(s, "ada")? == before, "{}", says(s, "ada")?);

    ensure!(s.sync(&[])?.nothing(), "the next run does not undo the undo");
    ensure!(s.sync(&["--full"])?.nothing(), "nor does a full one");
    s.changes(&ids[0], json!({ "mobilePhone": "+44 1" }))?;
    s.synced_well(&[])?;
    ensure!(s.person("ada")?.last_name.as_deref() == Some("Lovelace"), "a later change in Entra plans her again");
    Ok(())
});

both!(undo_a_revert_of_a_revert_is_where_we_were, EVERYONE, |s| {
    let ids = six(s)?;
    s.changes(&ids[0], json!({ "surname": "Lovelace" }))?;
    s.changes(&ids[1], json!({ "accountEnabled": false }))?;
    s.joins("gus", json!({}))?;
    let run = s.synced_well(&[])?;
    let dump = |s: &Story| -> Result<Vec<String>> { ["ada", "bea", "gus"].into_iter().map(|name| says(s, name)).collect() };
    let after = dump(s)?;
    let undo = Plan::of(s, &run.id())?;
    undo.approve(s)?;
    ensure!(s.person("bea")?.status == Status::Active, "{:?}", s.person("bea")?);
    let redo = Plan::of(s, &undo.id())?;
    ensure!(redo.left().is_empty(), "{}", redo.0);
    redo.approve(s)?;
    ensure!(dump(s)? == after, "{:#?}\n{after:#?}", dump(s)?);
    ensure!(s.sync(&["--full"])?.nothing(), "and sync agrees");
    let shown = s.home.done(&["runs", "show", &undo.id(), "--json"])?.json()?;
    ensure!(
        (shown["run"]["reverts"].to_string(), shown["run"]["reverted_by"].to_string()) == (run.id(), redo.id()),
        "each says what it took back, and by what it was: {shown}"
    );
    Ok(())
});

both!(undo_names_records_touched_since_and_leaves_them, EVERYONE, |s| {
    let ids = six(s)?;
    for id in &ids[..2] {
        s.changes(id, json!({ "jobTitle": "Countess" }))?;
    }
    let run = s.synced_well(&[])?;
    s.edits(s.person("ada")?.id, &json!({ "phone": "+44 2" }))?;
    let plan = Plan::of(s, &run.id())?;
    ensure!(plan.verbs().len() == 1, "only bea: {}", plan.0);
    ensure!(plan.left().len() == 1 && plan.left()[0].contains("changed since by"), "{:?}", plan.left());
    // Between showing and approving somebody edits the other one too.
    s.edits(s.person("bea")?.id, &json!({ "phone": "+44 3" }))?;
    let hash = plan.0["run"]["hash"].as_str().unwrap_or_default().to_owned();
    let refused = s.home.run(&["runs", "approve", &plan.id(), "--hash", &hash])?;
    ensure!(refused.code == Some(1) && refused.stderr.contains("stale"), "{refused:?}");
    ensure!(s.person("bea")?.get(&model::Field::new("job_title")) == "Countess", "nothing was written");
    Ok(())
});

both!(undo_a_created_record_is_archived_and_its_name_is_free, EVERYONE, |s| {
    six(s)?;
    let gus = s.joins("gus", json!({}))?;
    let run = s.synced_well(&[])?;
    let plan = Plan::of(s, &run.id())?;
    ensure!(plan.verbs() == ["archive"], "{}", plan.0);
    plan.approve(s)?;
    let gone = s.people()?.into_iter().find(|p| p.status == Status::Archived).expect("an archived record");
    let email = s.address("gus");
    ensure!(gone.email == Some(format!("{email}_Archived")) && !gone.access, "{gone:?}");
    ensure!(s.sync(&["--full"])?.nothing(), "gus does not come back by himself");
    s.changes(&gus, json!({ "jobTitle": "Smith" }))?;
    s.synced_well(&[])?;
    let live = s.people()?.into_iter().filter(|p| p.email.as_deref() == Some(&email)).count();
    ensure!(live == 1, "a change in Entra brings one record of his name");
    Ok(())
});

both!(ruling_82_reverted_removals_do_not_count_any_more, EVERYONE, |s| {
    let ids = six(s)?;
    for id in &ids[..2] {
        s.changes(id, json!({ "accountEnabled": false }))?;
    }
    let run = s.synced_well(&[])?;
    ensure!(run.count("deactivate") == 2, "{run:?}");
    Plan::of(s, &run.id())?.approve(s)?;
    ensure!(s.sync(&["--full"])?.nothing(), "a person put them back (ruling 78)");
    for id in &ids[2..4] {
        s.changes(id, json!({ "accountEnabled": false }))?;
    }
    let next = s.sync(&[])?;
    ends(&next, 0, "done")?;
    ensure!(next.count("deactivate") == 2, "with the reverted two they would have been four of six: {next:?}");
    Ok(())
});

both!(undo_is_weighed_like_any_plan, EVERYONE, |s| {
    six(s)?;
    for name in ["gus", "hal", "ida", "jon"] {
        s.joins(name, json!({}))?;
    }
    let run = s.synced_well(&[])?;
    let plan = Plan::of(s, &run.id())?;
    ensure!(plan.verbs().len() == 4, "{}", plan.0);
    ensure!(plan.0["run"]["holds"][0]["why"] == "removal_share", "the guard says what it is: {}", plan.0["run"]["holds"]);
    Ok(())
});

both!(undo_of_what_wrote_nothing_is_refused_in_words, EVERYONE, |s| {
    six(s)?;
    let idle = s.sync(&[])?;
    let refused = s.home.run(&["runs", "revert", &idle.id()])?;
    ensure!(refused.code == Some(1) && refused.stderr.contains("wrote nothing"), "{refused:?}");
    let unknown = s.home.run(&["runs", "revert", "999999"])?;
    ensure!(unknown.code == Some(1) && unknown.stderr.contains("999999"), "{unknown:?}");
    Ok(())
});

both!(undo_takes_a_fresh_link_back, EVERYONE, |s| {
    let file = s.file("people.csv", &format!("kind,client,email,last_name\ncontact,Acme,{},Old\n", s.address("ada")))?;
    s.home.done(&["records", "import", &file])?;
    s.joins("ada", json!({}))?;
    let run = s.synced_well(&["--yes"])?;
    ensure!(run.count("link") == 1, "{run:?}");
    let plan = Plan::of(s, &run.id())?;
    plan.approve(s)?;
    let ada = s.people()?.pop().expect("her record");
    ensure!(ada.last_name.as_deref() == Some("Old") && ada.first_name.is_none(), "{ada:?}");
    ensure!(s.sync(&["--full"])?.nothing(), "she stays free until something of hers changes");
    Ok(())
});

both!(undo_is_named_by_explain_for_as_long_as_it_stands, EVERYONE, |s| {
    let ids = six(s)?;
    s.changes(&ids[0], json!({ "jobTitle": "Countess", "surname": "Lovelace" }))?;
    let run = s.synced_well(&[])?;
    let plan = Plan::of(s, &run.id())?;
    plan.approve(s)?;
    let explained = |s: &Story| s.home.done(&["explain", "acme", &s.address("ada"), "--json"])?.json();
    let stage = |why: &Value| {
        let undo = why["stages"].as_array().into_iter().flatten().find(|stage| stage["stage"] == "Undo");
        undo.and_then(|stage| stage["sentences"][0].as_str()).unwrap_or_default().to_owned()
    };
    let why = explained(s)?;
    let said = stage(&why);
    ensure!(
        said.contains(&format!("took back what run {} had done", run.id())) && said.contains(&format!("(run {})", plan.id())),
        "{why}"
    );
    ensure!(said.contains("Full runs do not count that as drift"), "{said}");
    ensure!(why["next"][0].as_str().is_some_and(|next| next.starts_with("Nothing for now")), "{why}");
    let told = s.home.done(&["explain", "acme", &s.address("ada")])?.stdout;
    ensure!(told.contains("Undo") && told.contains("Nothing for now"), "{told}");
    ensure!(stage(&s.home.done(&["explain", "acme", &s.address("bea"), "--json"])?.json()?).is_empty(), "nobody else is");

    ensure!(s.sync(&["--full"])?.nothing(), "and that is so");
    s.changes(&ids[0], json!({ "mobilePhone": "+44 1" }))?;
    s.synced_well(&[])?;
    ensure!(stage(&explained(s)?).is_empty(), "a change in Entra ends it: {}", explained(s)?);
    Ok(())
});

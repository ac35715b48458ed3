//! Records that were there before: adopted from a file, then linked instead of made again.

use super::*;
use serde_json::json;

both!(req_p03_adopted_records_are_linked_by_the_first_sync, EVERYONE, |s| {
    let header = "Ref,Kind,Company,Mail,First,Last,Notes\n";
    let ada = s.address("ada");
    let file = s.file(
        "people.csv",
        &format!("{header}1,contact,Acme,{},Ada,Byron,x\n2,contact,Acme,old@elsewhere.example,Olive,Old,y\n", ada.to_uppercase()),
    )?;
    let map: Vec<String> =
        ["Ref=external_id", "Kind=kind", "Company=client", "Mail=email", "First=first_name", "Last=last_name", "Notes=-"]
            .iter()
            .flat_map(|m| ["--map".to_owned(), (*m).to_owned()])
            .collect();
    let import = |more: &[&str]| {
        let mut words = vec!["records".to_owned(), "import".to_owned(), file.clone(), "--json".to_owned()];
        words.extend(map.iter().cloned());
        words.extend(more.iter().map(|m| (*m).to_owned()));
        s.home.done(&words)?.json()
    };
    let empty = s.dump()?;
    ensure!(import(&["--dry-run"])?["created"] == json!(2), "a dry run says what would be");
    ensure!(s.dump()? == empty, "and writes nothing");
    ensure!(import(&[])?["created"] == json!(2), "then it is done");
    let adopted = s.dump()?;
    let twice = import(&[])?;
    ensure!(twice["created"] == json!(0) && twice["unchanged"] == json!(2), "a second time there is nothing to do: {twice}");
    ensure!(s.dump()? == adopted, "and nothing is written");

    let record = s.person("ada")?;
    s.joins("ada", json!({ "surname": "Lovelace" }))?;
    s.joins("bea", json!({}))?;
    let held = s.sync(&[])?;
    ends(&held, 3, "held")?;
    ensure!(held.count("link") == 1 && held.count("create") == 1, "{held:?}");
    s.home.done(&["runs", "approve", &held.id(), "--hash", held.hash()])?;
    let linked = s.person("ada")?;
    ensure!(linked.id == record.id && linked.last_name.as_deref() == Some("Lovelace"), "the same record: {linked:?}");
    ensure!(s.people()?.len() == 3, "nobody was made twice: {:?}", s.people()?);
    let out = s.home.done(&["records", "export", "-"])?;
    ensure!(out.stdout.lines().count() == 4 && out.stdout.contains("Olive"), "{out:?}");
    Ok(())
});

both!(faults_of_a_file_are_told_by_line_and_change_nothing, EVERYONE, |s| {
    let file = s.file("people.csv", "external_id,kind,client,email,last_name\n1,contact,Acme,a@x.example,A\n2,visitor,Acme,b@x.example,B\n3,contact,Acme,no address,C\n")?;
    let before = s.dump()?;
    let refused = s.home.run(&["records", "import", &file])?;
    ensure!(refused.code == Some(1) && refused.stderr.contains("line 3"), "{refused:?}");
    ensure!(s.dump()? == before, "one fault, and nothing is changed");
    Ok(())
});

both!(
    /// Before the first sync the warning stands wherever somebody looks: on the tenant, in a preview, beside `--yes`, and in the plan.
    req_m03_records_and_no_key_but_the_object_id_are_warned_of_before_the_first_sync,
    "
preset: halo
rules:
  - { id: everyone, order: 1, when: {}, then: { kind: contact, client: from_tenant, role: portal-user } }
",
    |s| {
        const WARNED: &str = "the policy matches by the object id alone";
        let shown = s.home.done(&["tenants", "show", "acme", "--json"])?.json()?;
        ensure!(shown["warnings"] == serde_json::json!([]), "no record, no warning: {shown}");
        let file = s.file("people.csv", &format!("kind,client,email,last_name\ncontact,Acme,{},Old\n", s.address("ada")))?;
        s.home.done(&["records", "import", &file])?;
        s.joins("ada", serde_json::json!({}))?;
        let shown = s.home.done(&["tenants", "show", "acme"])?.stdout;
        ensure!(shown.contains(WARNED) && shown.contains("1 records are linked to nobody"), "{shown}");
        let preview = s.home.done(&["sync", "acme", "--preview"])?;
        ensure!(preview.stdout.contains(WARNED) && preview.stderr.contains(WARNED), "{preview:?}");
        let held = s.sync(&[])?;
        ends(&held, 3, "held")?;
        ensure!(held.run["holds"].to_string().contains("nothing_to_match_by"), "{held:?}");
        let done = s.home.done(&["sync", "acme", "--yes"])?;
        ensure!(done.stderr.contains(WARNED), "who approves beforehand is told beforehand: {done:?}");
        let after = s.home.done(&["tenants", "show", "acme", "--json"])?.json()?;
        ensure!(after["warnings"] == serde_json::json!([]), "after the first sync it is too late: {after}");
        Ok(())
    }
);

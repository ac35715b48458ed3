//! What waits for a person, and what they decide.

use super::*;
use serde_json::{Value, json};

/// Two records of the mapped client have Gus's address, and Gus joins: sync asks which of them he is. Gives the item.
fn ambiguous(s: &Story) -> Result<Value> {
    six(s)?;
    let address = s.address("gus");
    let rows = format!(
        "external_id,kind,client,email,first_name,last_name,tickets\n1,contact,Acme,{address},Gus,Smith,3\n2,contact,Acme,{address},Otto,Quist,0\n"
    );
    let file = s.file("two.csv", &rows)?;
    s.home.done(&["records", "import", &file])?;
    s.joins("gus", json!({ "givenName": "Gus" }))?;
    s.synced_well(&["--yes"])?;
    let items = s.home.done(&["review", "list", "--json"])?.json()?;
    ensure!(items.as_array().map(Vec::len) == Some(1), "one open item a user: {items}");
    Ok(items[0].clone())
}

fn id(item: &Value) -> String {
    item["id"].to_string()
}

both!(ruling_13_a_link_acts_at_once_and_holds, EVERYONE, |s| {
    let item = ambiguous(s)?;
    ensure!(item["why"] == "ambiguous_match" && item["candidates"].as_array().map(Vec::len) == Some(2), "{item}");
    let candidate = &item["candidates"][0];
    ensure!(candidate["name"] == "Gus Smith" && candidate["tickets"] == 3 && candidate["alike"] == 100, "{candidate}");
    ensure!(
        candidate["met"][0].as_str().is_some_and(|m| m.contains(&s.address("gus"))),
        "the address that met is told: {candidate}"
    );
    let sentences = item["evidence"].to_string();
    ensure!(sentences.contains("100 % like"), "a name is a hint, with how alike it is: {sentences}");

    let record = candidate["id"].to_string();
    let done = s.home.done(&["review", "link", &id(&item), "--record", &record, "--json"])?.json()?;
    ensure!(done["done"] == 1 && done["outcomes"][0]["state"] == "resolved", "{done}");
    ensure!(done["outcomes"][0]["record"] == candidate["id"], "{done}");
    let linked = s.people()?.into_iter().find(|p| p.id.to_string() == record);
    ensure!(linked.is_some_and(|p| p.get(&model::Field::JOB_TITLE) == "Clerk"), "what Entra holds is written with the link");
    ensure!(s.sync(&[])?.nothing(), "and nothing is left to do, nor to ask");
    let shown = s.home.done(&["review", "show", &id(&item), "--json"])?.json()?;
    ensure!(shown["item"]["state"] == "resolved" && shown["history"][0]["action"] == "link", "who and when is kept: {shown}");
    ensure!(shown["history"][0]["by"].as_str().is_some_and(|by| by.contains("command line")), "{shown}");
    let again = s.home.run(&["review", "link", &id(&item), "--record", &record])?;
    ensure!(again.code == Some(1) && again.stdout.contains("resolved"), "once is enough: {again:?}");
    Ok(())
});

both!(ruling_13_a_choice_that_cannot_be_followed_is_refused_and_changes_nothing, EVERYONE, |s| {
    let item = ambiguous(s)?;
    let before = s.dump()?;
    let ada = s.person("ada")?.id.to_string();
    let taken = s.home.run(&["review", "link", &id(&item), "--record", &ada])?;
    ensure!(taken.code == Some(1) && taken.stdout.contains("linked to"), "{taken:?}");
    let nobody = s.home.run(&["review", "link", &id(&item), "--record", "4711"])?;
    ensure!(nobody.code == Some(1) && nobody.stdout.contains("does not exist"), "{nobody:?}");
    let which = s.home.run(&["review", "link", &id(&item)])?;
    ensure!(which.code == Some(1) && which.stdout.contains("2 candidates"), "{which:?}");
    let none = s.home.run(&["review", "create", "4711"])?;
    ensure!(none.code == Some(1), "{none:?}");
    ensure!(s.dump()? == before, "nothing was changed");
    Ok(())
});

both!(review_dismissed_stays_out_until_it_is_opened_again, EVERYONE, |s| {
    let item = ambiguous(s)?;
    s.home.done(&["review", "dismiss", &id(&item)])?;
    let why = s.home.done(&["explain", "acme", &s.address("gus")])?.stdout;
    ensure!(why.contains("has dismissed this question") && why.contains("reopen"), "who is left out is told why: {why}");
    ensure!(!why.contains("Waits for a person"), "nobody is waited for: {why}");
    ensure!(s.sync(&["--full"])?.nothing(), "a held decision survives later runs");
    ensure!(s.home.done(&["review", "list", "--json"])?.json()? == json!([]), "and is not asked again");
    s.home.done(&["review", "reopen", &id(&item)])?;
    s.synced_well(&[])?;
    let items = s.home.done(&["review", "list", "--json"])?.json()?;
    ensure!(items.as_array().map(Vec::len) == Some(1) && items[0]["id"] == item["id"], "the same item: {items}");
    s.home.done(&["review", "create", &id(&item)])?;
    ensure!(s.people()?.len() == 9, "a third record with the address was made on somebody's word: {:?}", s.people()?);
    ensure!(s.sync(&["--full"])?.nothing(), "and holds");
    Ok(())
});

both!(
    ruling_13_a_record_of_the_other_kind_may_be_the_users_second_one,
    "
preset: bms
rules:
  - { id: both, order: 1, when: {}, then: { kind: agent_and_contact, role: tech } }
",
    |s| {
        // A contact of another address has the username that Gus's agent would get.
        let file = s.file(
            "other.csv",
            "external_id,kind,client,email,username,first_name,last_name\n1,contact,Acme,otto@quist.example,gus,Gus,Smith\n",
        )?;
        s.home.done(&["records", "import", &file])?;
        s.joins("gus", json!({ "givenName": "Gus" }))?;
        s.synced_well(&["--yes"])?;
        let items = s.home.done(&["review", "list", "--json"])?.json()?;
        ensure!(items.as_array().map(Vec::len) == Some(1) && items[0]["why"] == "username_taken", "{items}");
        let record = items[0]["candidates"][0]["id"].to_string();
        s.home.done(&["review", "link", &id(&items[0]), "--record", &record])?;
        s.synced_well(&["--yes"])?;
        let people = s.people()?;
        let mut kinds: Vec<_> = people.iter().map(|p| (p.kind.to_string(), p.username.clone())).collect();
        kinds.sort();
        let both = ["agent", "contact"].map(|kind| (kind.to_owned(), Some("gus".to_owned())));
        ensure!(kinds == both, "an agent was made beside the contact: {kinds:?}");
        ensure!(s.sync(&["--full"])?.nothing(), "and nothing is left to do, nor to ask");
        ensure!(s.home.done(&["review", "list", "--json"])?.json()? == json!([]), "nobody is asked again");
        Ok(())
    }
);

both!(
    review_several_are_decided_when_they_are_as_many_as_were_seen,
    "
preset: bms
matching: { on_none: review }
rules:
  - { id: everyone, order: 1, when: {}, then: { kind: contact, client: from_tenant, role: portal-user } }
",
    |s| {
        for name in ["ada", "bea", "cem"] {
            s.joins(name, json!({}))?;
        }
        s.sync(&["--yes"])?;
        let asks = s.home.run(&["review", "create", "--all", "--why", "no_match"])?;
        ensure!(asks.code == Some(1) && asks.stderr.contains("--count 3"), "{asks:?}");
        let wrong = s.home.run(&["review", "create", "--all", "--why", "no_match", "--count", "2"])?;
        ensure!(wrong.code == Some(1) && wrong.stderr.contains("are 3 now"), "{wrong:?}");
        let done = s.home.run(&["review", "create", "--all", "--why", "no_match", "--count", "3", "--json"])?;
        let told = done.json()?;
        ensure!(
            told["refused"] == 0 && told["done"].as_i64().zip(told["waiting"].as_i64()).map(|(a, b)| a + b) == Some(3),
            "{told}"
        );
        s.sync(&["--yes"])?;
        ensure!(s.people()?.len() == 3, "{:?}", s.people()?);
        Ok(())
    }
);

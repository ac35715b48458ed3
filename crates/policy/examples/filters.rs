//! How many users a second a policy's filters take on one core: twenty of them, over users as a directory tells them.
//! `cargo run --release -p policy --example filters`

use model::{Attributes, Subject};
use policy::expr::{Use, compile};
use serde_json::json;
use std::time::Instant;

const FILTERS: [&str; 20] = [
    "department == \"Sales\"",
    "department == \"Support\" && accountEnabled",
    "department in [\"Finance\", \"Legal\", \"Board\", \"People\"]",
    "lower(department) == \"engineering\"",
    "jobTitle.startsWith(\"Head of\") || jobTitle.contains(\"Director\")",
    "jobTitle != null && jobTitle.endsWith(\"Engineer\")",
    "country == \"GB\" && city == \"Leeds\"",
    "country in [\"DE\", \"AT\", \"CH\"] && userType != \"Guest\"",
    "officeLocation.startsWith(\"HQ\")",
    "companyName == \"Acme\" && !accountEnabled",
    "mail.endsWith(\"@acme.example\")",
    "mail.matches(\"^[a-z]+[.][a-z]+@\")",
    "employeeType == \"Contractor\" || employeeId.startsWith(\"X\")",
    "employeeOrgData.division == \"EMEA\"",
    "onPremisesExtensionAttributes.extensionAttribute3 == \"vip\"",
    "businessPhones.exists(p, p.startsWith(\"+44\"))",
    "size(businessPhones) > 0 && mobilePhone != null",
    "proxyAddresses.exists(a, a.lower().endsWith(\"@old.example\"))",
    "manager.id == \"u-17\"",
    "!onPremisesSyncEnabled && usageLocation == \"GB\"",
];

fn main() {
    let filters: Vec<_> = FILTERS.iter().map(|text| compile(text, Use::Condition).map(|(e, _)| e).expect(text)).collect();
    let id = model::SourceId::new("u");
    let users: Vec<Attributes> = (0..1_000).map(user).collect();
    let (start, mut held, rounds) = (Instant::now(), 0usize, 200);
    for _ in 0..rounds {
        for user in &users {
            let of = Subject { id: &id, attributes: user, manager: None };
            held += filters.iter().filter(|filter| filter.holds(of) == Ok(true)).count();
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let total = f64::from(rounds * 1_000);
    println!(
        "{:.0} users/s with {} filters, {:.1} million evaluations/s ({held} held)",
        total / seconds,
        FILTERS.len(),
        total * 20.0 / seconds / 1e6
    );
    let start = Instant::now();
    for text in FILTERS {
        let _ = compile(text, Use::Condition);
    }
    println!("{:.2} ms to compile one", start.elapsed().as_secs_f64() * 1e3 / 20.0);
}

fn user(n: usize) -> Attributes {
    let departments = ["Sales", "Support", "Engineering", "Finance"];
    serde_json::from_value(json!({
        "accountEnabled": !n.is_multiple_of(7), "businessPhones": ["+1 555 0100"], "city": "Leeds", "companyName": "Acme", "country": "GB",
        "createdDateTime": "2020-01-01T00:00:00Z", "department": departments[n % 4], "displayName": format!("User {n}"),
        "employeeId": n.to_string(), "employeeOrgData": {"division": "EMEA", "costCenter": null}, "employeeType": "Employee",
        "givenName": "User", "jobTitle": "Software Engineer", "mail": format!("user.{n}@acme.example"), "mailNickname": "user",
        "mobilePhone": null, "officeLocation": "HQ 3", "onPremisesExtensionAttributes": {"extensionAttribute1": null, "extensionAttribute3": "x"},
        "onPremisesSyncEnabled": null, "otherMails": [], "proxyAddresses": [format!("SMTP:user.{n}@acme.example"), "smtp:u@new.example"],
        "surname": n.to_string(), "usageLocation": "GB", "userPrincipalName": format!("user.{n}@acme.example"), "userType": "Member",
    }))
    .expect("attributes")
}

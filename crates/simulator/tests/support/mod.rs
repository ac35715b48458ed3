//! A small reader of the simulator, over HTTP only: signs in, follows links, keeps a mirror.
#![expect(dead_code, reason = "each test file uses its own part")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use simulator::{Options, Simulator};

pub struct World {
    pub simulator: Simulator,
    pub http: reqwest::Client,
    pub token: String,
    pub tenant: Value,
    pub url: String,
}

pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().build().expect("a client")
}

pub fn small() -> Options {
    Options { tenants: 2, users: 90, groups: 14, page_size: 7, ..Options::default() }
}

impl World {
    pub async fn start(options: Options) -> Self {
        let simulator = Simulator::start(options).await.expect("starts");
        let url = format!("http://{}", simulator.addr());
        let tenant = simulator.announcement()["tenants"][0].clone();
        let mut world = Self { simulator, http: client(), token: String::new(), tenant, url };
        world.sign_in().await;
        world
    }

    pub fn id(&self) -> &str {
        self.tenant["tenant_id"].as_str().unwrap_or_default()
    }

    pub fn form(&self) -> Vec<(&'static str, String)> {
        let text = |name: &str| self.tenant[name].as_str().unwrap_or_default().to_owned();
        vec![
            ("grant_type", "client_credentials".into()),
            ("client_id", text("client_id")),
            ("client_secret", text("client_secret")),
            ("scope", "https://graph.microsoft.com/.default".into()),
        ]
    }

    pub async fn ask_token(&self, tenant: &str, form: &[(&'static str, String)]) -> Answer {
        read(self.http.post(format!("{}/{tenant}/oauth2/v2.0/token", self.url)).form(form)).await
    }

    pub async fn sign_in(&mut self) {
        let answer = self.ask_token(self.id(), &self.form()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.token = answer.json()["access_token"].as_str().expect("a token").to_owned();
    }

    pub fn full_url(&self, path: &str) -> String {
        if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.get_with(path, &[]).await
    }

    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.http.get(self.full_url(path)).bearer_auth(&self.token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(request).await
    }

    pub async fn send(&self, method: &str, path: &str, body: Value) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        read(self.http.request(method, self.full_url(path)).bearer_auth(&self.token).json(&body)).await
    }

    /// A control request in the tenant; must succeed.
    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let answer = self.send(method, &format!("/_sim/tenants/{}/{path}", self.id()), body).await;
        assert!(answer.status < 300, "{method} {path}: {} {}", answer.status, answer.text);
        answer.json()
    }

    pub async fn fault(&self, fault: Value) {
        let answer = self.send("POST", "/_sim/faults", fault).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// The truth: users by id, and direct members by group.
    pub async fn truth(&self, select: &str) -> Mirror {
        let state = self.get(&format!("/_sim/tenants/{}/state?select={select}", self.id())).await.json();
        let mut mirror = Mirror::default();
        for user in state["users"].as_array().expect("users") {
            mirror.users.insert(user["id"].as_str().expect("id").to_owned(), user.as_object().expect("object").clone());
        }
        for group in state["groups"].as_array().expect("groups") {
            let members =
                group["members"].as_array().into_iter().flatten().filter_map(|m| m.as_str().map(str::to_owned)).collect();
            mirror.groups.insert(group["id"].as_str().expect("id").to_owned(), members);
        }
        mirror
    }

    /// Reads a round from a link to its deltaLink into the mirror; answers the link and the raw pages.
    pub async fn round(&self, from: &str, mirror: &mut Mirror) -> (String, Vec<String>) {
        let (mut link, mut pages) = (from.to_owned(), vec![]);
        loop {
            let answer = self.get(&link).await;
            assert_eq!(answer.status, 200, "{link}: {}", answer.text);
            let page = answer.json();
            pages.push(answer.text);
            mirror.apply(&page);
            match (page["@odata.nextLink"].as_str(), page["@odata.deltaLink"].as_str()) {
                (Some(next), None) => link = next.to_owned(),
                (None, Some(delta)) => return (delta.to_owned(), pages),
                both => panic!("a page has either link, not {both:?}"),
            }
        }
    }
}

pub async fn read(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, text: response.text().await.expect("a body") }
}

#[derive(Debug, Default, PartialEq)]
pub struct Mirror {
    pub users: BTreeMap<String, Map<String, Value>>,
    pub groups: BTreeMap<String, BTreeSet<String>>,
}

impl Mirror {
    /// Applies a page as the contract says: merge, null clears, tombstones remove, members are added and removed.
    pub fn apply(&mut self, page: &Value) {
        let groups = page["@odata.context"].as_str().is_some_and(|c| c.contains("#groups"));
        for object in page["value"].as_array().expect("value") {
            let id = object["id"].as_str().expect("id").to_owned();
            if object.get("@removed").is_some() {
                self.users.remove(&id);
                self.groups.remove(&id);
            } else if groups {
                let members = self.groups.entry(id).or_default();
                for m in object["members@delta"].as_array().into_iter().flatten() {
                    let member = m["id"].as_str().expect("id").to_owned();
                    if m.get("@removed").is_some() {
                        assert_eq!(m["@removed"], json!({"reason": "deleted"}));
                        members.remove(&member);
                    } else {
                        members.insert(member);
                    }
                }
            } else {
                let user = self.users.entry(id).or_default();
                user.extend(
                    object
                        .as_object()
                        .expect("object")
                        .iter()
                        .filter(|(k, _)| !k.contains('@'))
                        .map(|(k, v)| (k.clone(), v.clone())),
                );
            }
        }
    }
}

//! Our requests and the simulator's answers, held against Graph's own description by a validating proxy between them. The proxy is not
//! part of this repository: `ROLLCALL_CONTRACTS` names the folder with it, and without it (or without Node.js) this says it was skipped.

use crate::support::{World, connection};
use model::directory::{Cursor, Feed};
use simulator::{Options, Simulator};
use sources::{Asks, Select};
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// A running proxy, ended with the test.
struct Proxy {
    child: Child,
    output: BufReader<ChildStdout>,
}

impl Proxy {
    async fn start(tool: &PathBuf, upstream: &str, port: u16) -> Self {
        let mut child = Command::new(tool)
            .args(["graph.openapi.yaml", &format!("{upstream}/v1.0"), &port.to_string(), "/v1.0"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the proxy");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let mut line = String::new();
        output.read_line(&mut line).await.expect("a line");
        assert!(line.starts_with("contract-proxy: http"), "the proxy did not start: {line}");
        Self { child, output }
    }

    /// Ends it; gives back whether there was no violation, and what it reports.
    async fn verdict(mut self) -> (bool, String) {
        let id = self.child.id().expect("a running proxy").to_string();
        Command::new("kill").args(["-TERM", &id]).status().await.expect("kill");
        let mut report = String::new();
        self.output.read_to_string(&mut report).await.expect("a report");
        (self.child.wait().await.expect("an end").success(), report)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_our_client_nor_the_simulator_violates_the_contract() {
    let tool = std::env::var_os("ROLLCALL_CONTRACTS").map(|folder| PathBuf::from(folder).join("tools/contract-proxy"));
    let Some(tool) = tool.filter(|tool| tool.exists() && std::process::Command::new("npm").arg("--version").output().is_ok())
    else {
        println!("skipped: needs ROLLCALL_CONTRACTS to name a folder with tools/contract-proxy, and npm");
        return;
    };
    // The proxy's port must be known before it starts, because the simulator puts it into its links.
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port();
    let public_url = format!("http://127.0.0.1:{port}");
    let options =
        Options { tenants: 1, users: 60, groups: 8, page_size: 20, public_url: Some(public_url.clone()), ..Options::default() };
    let simulator = Simulator::start(options).await.expect("a simulator");
    let direct = format!("http://{}", simulator.addr());
    let proxy = Proxy::start(&tool, &direct, port).await;

    let told = simulator.announcement();
    let text = |name: &str| told["tenants"][0][name].as_str().expect("announced").to_owned();
    let mut connection = connection(&public_url, &text("domain"), &text("client_id"), &text("client_secret"));
    connection.login_url = direct;
    let source = World::new().source(connection);
    let select = Select::default();
    for feed in Feed::ALL {
        let mut cursor = Cursor::Refresh;
        for _round in 0..2 {
            loop {
                cursor = source.page(feed, &cursor, &select).await.expect("a page").next;
                if matches!(cursor, Cursor::Active(_)) {
                    break;
                }
            }
        }
    }
    source.organization().await.expect("an organization");
    source.subscribed_skus().await.expect("licences");
    source.deleted_users(&["nobody".into()]).await.expect("an answer");
    source.check(Asks::default()).await.expect("an answer");
    let (clean, report) = proxy.verdict().await;
    println!("{report}");
    assert!(clean, "{report}");
    // A proxy that saw nothing finds nothing.
    assert!(!report.contains(" 0 log lines of traffic"), "{report}");
}

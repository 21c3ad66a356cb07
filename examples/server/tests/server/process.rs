//! The binary, as a process.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;

/// The binary, on this database.
fn binary(database: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_molos-server"));
    command.arg("--database").arg(database).env_remove("MOLOS_DATABASE").env_remove("RUST_LOG");
    command
}

/// Runs a command of the command line.
pub fn run(database: &Path, arguments: &[&str]) -> Output {
    run_with_input(database, arguments, "")
}

pub fn run_with_input(database: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = binary(database);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary");
    // A command that does not read it has closed it, maybe.
    let _ = child.stdin.take().expect("an input").write_all(input.as_bytes());
    child.wait_with_output().expect("an end")
}

/// Runs a command that is to succeed. Returns what it shows.
pub fn succeed(database: &Path, arguments: &[&str]) -> String {
    let output = run(database, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A new key with these grants.
pub fn create_key(database: &Path, grants: &[&str]) -> String {
    let arguments: Vec<&str> = ["key", "create", "a key"].into_iter().chain(grants.iter().copied()).collect();
    let output = succeed(database, &arguments);
    output.split_once("key ").expect("a key").1.trim().to_owned()
}

/// A server that is killed when the test is over.
pub struct Process {
    child: Child,
    pub url: String,
}

pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Process {
    /// Starts a server, and does not wait for it.
    pub fn spawn(database: &Path) -> Starting {
        let mut command = binary(database);
        command.args(["serve", "--listen", "127.0.0.1:0"]).stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the binary");
        let log = BufReader::new(child.stderr.take().expect("a log"));
        let (sender, receiver) = mpsc::channel();
        // To the end, so that the server is never held up by a log that nobody reads.
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("listening on ") {
                    let _ = sender.send(url.to_owned());
                }
            }
        });
        Starting { child, receiver }
    }

    pub fn start(database: &Path) -> Self {
        Self::spawn(database).started()
    }

    pub fn get(&self, path: &str, key: &str) -> Result<Answer, ureq::Error> {
        let agent = agent();
        answer(agent.get(format!("{}{path}", self.url)).header("authorization", format!("Bearer {key}")).call()?)
    }

    pub fn post(&self, path: &str, key: &str, body: &Value) -> Result<Answer, ureq::Error> {
        let agent = agent();
        answer(
            agent
                .post(format!("{}{path}", self.url))
                .header("authorization", format!("Bearer {key}"))
                .send_json(body)?,
        )
    }

    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill").success());
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a state").is_none()
    }

    /// How it ended, which has to be soon.
    pub fn end(&mut self) -> Option<i32> {
        let since = Instant::now();
        while self.is_running() {
            assert!(since.elapsed() < Duration::from_secs(10), "it does not end");
            thread::sleep(Duration::from_millis(10));
        }
        self.child.wait().expect("an end").code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Starting {
    child: Child,
    receiver: mpsc::Receiver<String>,
}

impl Starting {
    pub fn started(self) -> Process {
        let url = self.receiver.recv_timeout(Duration::from_secs(30));
        let process = Process { child: self.child, url: url.unwrap_or_default() };
        assert!(!process.url.is_empty(), "the server did not start");
        process
    }
}

fn agent() -> Agent {
    Agent::new_with_config(Agent::config_builder().http_status_as_error(false).build())
}

fn answer(response: ureq::http::Response<ureq::Body>) -> Result<Answer, ureq::Error> {
    let status = response.status().as_u16();
    let mut body = String::new();
    response.into_body().into_reader().read_to_string(&mut body)?;
    Ok(Answer { status, body })
}

//! A server of its own, in a temporary directory and on a local socket.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// A server that is running.
pub struct Cluster {
    directory: TempDir,
    server: Mutex<Child>,
}

/// The directory of the server's programs.
pub fn programs() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("MOLOS_TEST_POSTGRES_BIN") {
        return Some(PathBuf::from(named));
    }
    let in_path = std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut installed: Vec<_> = installed.map(|version| version.path().join("bin")).collect();
    installed.sort();
    let mut all = in_path.into_iter().flatten().chain(installed.into_iter().rev());
    all.find(|directory| directory.join("initdb").is_file() && directory.join("postgres").is_file())
}

impl Cluster {
    pub fn start() -> Result<Self, String> {
        let programs = programs().ok_or("no PostgreSQL server was found")?;
        // The path of a socket has at most 107 bytes, so it is not one below the target directory.
        let directory =
            tempfile::Builder::new().prefix("molos-pg").tempdir_in("/tmp").map_err(|error| error.to_string())?;
        let user = Unprivileged::if_root();
        let path = directory.path();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
        user.own(path)?;
        let data = path.join("data");
        let mut initdb = user.command(&programs.join("initdb"));
        initdb
            .args(["-N", "--no-instructions", "-A", "trust", "--no-locale", "-E", "UTF8", "-U", "molos", "-D"])
            .arg(&data);
        let made = initdb.output().map_err(|error| format!("initdb: {error}"))?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)));
        }
        let mut postgres = user.command(&programs.join("postgres"));
        postgres.arg("-D").arg(&data).arg("-k").arg(path).args(["-c", "listen_addresses=", "-F"]);
        let server = postgres
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("postgres: {error}"))?;
        let cluster = Self { directory, server: Mutex::new(server) };
        for _ in 0..300 {
            if postgres::Client::connect(&cluster.parameters("postgres"), postgres::NoTls).is_ok() {
                return Ok(cluster);
            }
            thread::sleep(Duration::from_millis(100));
        }
        cluster.stop();
        Err("the server did not start within 30 s".to_owned())
    }

    /// What a client needs to connect to a database.
    pub fn parameters(&self, database: &str) -> String {
        format!("host={} user=molos dbname={database}", self.directory.path().display())
    }

    pub fn stop(&self) {
        let mut server = self.server.lock().expect("the server");
        let _ = server.kill();
        let _ = server.wait();
        let _ = fs::remove_dir_all(self.directory.path());
    }
}

/// The user that the server's programs run as: they refuse root.
struct Unprivileged(Option<(u32, u32)>);

impl Unprivileged {
    fn if_root() -> Self {
        let is_root = fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0);
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let ids = |name: &str| {
            let line = users.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            let mut parts = line.split(':').skip(1).map(str::parse);
            Some((parts.next()?.ok()?, parts.next()?.ok()?))
        };
        Self(is_root.then(|| ids("postgres").or_else(|| ids("nobody"))).flatten())
    }

    fn own(&self, path: &Path) -> Result<(), String> {
        let Some((user, group)) = self.0 else { return Ok(()) };
        chown(path, Some(user), Some(group)).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C");
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
        command
    }
}

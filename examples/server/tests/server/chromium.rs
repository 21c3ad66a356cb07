//! The admin page and the consent page in a real browser, which has to be installed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

use crate::browser::encode;
use crate::process::{Process, create_key, run_with_input, succeed};

const PASSWORD: &str = "correct horse";
const MISSING: &str = "this test needs a browser: `apt-get install -y chromium chromium-driver`";

/// What drives the browser, until the test is over.
struct Driver {
    child: Child,
    url: String,
}

impl Driver {
    fn start() -> Self {
        let mut command = Command::new("chromedriver");
        let child = command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{MISSING} (chromedriver: {error})"));
        let mut lines = BufReader::new(child.stdout.take().expect("an output")).lines().map_while(Result::ok);
        let port = lines.find_map(|line| line.split_once("successfully on port ").map(|(_, port)| port.to_owned()));
        let port = port.expect("a port").trim_end_matches('.').to_owned();
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a test in a browser, which is closed also when the test fails.
async fn in_browser<T: Future<Output = ()> + Send + 'static>(test: impl FnOnce(Page) -> T) {
    let driver = Driver::start();
    // Without a sandbox of its own, since it cannot have one in a container; it only ever sees this server.
    let options = json!({ "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,1000"] });
    let capabilities = [("goog:chromeOptions".to_owned(), options)].into_iter().collect();
    let client = ClientBuilder::new(HttpConnector::new()).capabilities(capabilities).connect(&driver.url).await;
    let client = client.unwrap_or_else(|error| panic!("{MISSING} ({error})"));
    let result = tokio::spawn(test(Page(client.clone()))).await;
    client.close().await.expect("the end of the browser");
    result.expect("the test");
}

/// What the browser shows.
struct Page(Client);

impl Page {
    async fn open(&self, url: &str) {
        self.0.goto(url).await.expect("a page");
    }

    async fn fill(&self, selector: &str, text: &str) {
        self.0.find(Locator::Css(selector)).await.expect(selector).send_keys(text).await.expect("typing");
    }

    async fn choose(&self, selector: &str, value: &str) {
        self.0.find(Locator::Css(selector)).await.expect(selector).select_by_value(value).await.expect("an option");
    }

    /// Clicks, and waits for the page that this leads to.
    async fn click(&self, selector: &str) {
        self.0.execute("window.isOld = true", Vec::new()).await.expect("a mark");
        self.0.find(Locator::Css(selector)).await.expect(selector).click().await.expect("a click");
        let since = Instant::now();
        // Between two pages there may be none to ask.
        let is_new = "return !window.isOld && document.readyState === 'complete'";
        while self.0.execute(is_new, Vec::new()).await.ok() != Some(json!(true)) {
            assert!(since.elapsed() < Duration::from_secs(10), "{selector} leads nowhere");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn text(&self, selector: &str) -> String {
        self.0.find(Locator::Css(selector)).await.expect(selector).text().await.expect("a text")
    }

    async fn is(&self, expression: &str) -> bool {
        let result = self.0.execute(&format!("return {expression}"), Vec::new()).await;
        result.expect(expression) == json!(true)
    }

    /// Nothing is wider than the window, and a picture is kept for people to look at.
    async fn check(&self, picture: &str) {
        let png = self.0.screenshot().await.expect("a picture");
        std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(picture), png).expect("a file");
        assert!(self.is("document.documentElement.scrollWidth <= window.innerWidth").await, "{picture}");
    }

    async fn log_in(&self) {
        self.fill("input[name=email]", "ada@example.org").await;
        self.fill("input[name=password]", PASSWORD).await;
        self.click("main button").await;
    }
}

fn server(database: &Path) -> Process {
    let arguments = ["user", "create", "ada@example.org", "--admin"];
    assert!(run_with_input(database, &arguments, PASSWORD).status.success());
    for module in ["tasks", "notes"] {
        succeed(database, &["module", "install", module]);
    }
    Process::start(database)
}

#[tokio::test]
async fn an_admin_sees_the_migrations_and_gives_a_key_what_it_needs() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("molos.db");
    let server = server(&database);
    create_key(&database, &["--module", "*", "--permission", "*:read", "--expires-in-days", "30"]);
    in_browser(|page| async move {
        page.open(&format!("{}/admin", server.url)).await;
        page.check("login.png").await;
        page.log_in().await;
        assert_eq!(page.text("h1").await, "Migrations");
        assert!(page.text("main").await.contains("rename_allowed_modules_to_allowed_scopes"));
        assert!(page.is("getComputedStyle(document.querySelector('header')).display === 'flex'").await);
        page.check("migrations.png").await;

        page.click("nav a[href='/admin/keys']").await;
        page.fill("input[name=name]", "a browser's key").await;
        page.click("form[action='/admin/keys'] button").await;
        let key = page.text("#key").await;
        let items = || server.get("/modules/tasks/items", &key).expect("an answer").status;
        assert_eq!(items(), 401);
        // The first of the keys, by name.
        let form = |action: &str| format!("section:nth-of-type(2) form:has(input[value={action}])");
        assert!(page.text("section:nth-of-type(2) h2").await.contains("a browser's key"));
        page.choose(&format!("{} select[name=module]", form("grant_module")), "tasks").await;
        page.click(&format!("{} button", form("grant_module"))).await;
        page.choose(&format!("{} select[name=resource]", form("grant_permission")), "tasks").await;
        page.choose(&format!("{} select[name=level]", form("grant_permission")), "write").await;
        page.click(&format!("{} button", form("grant_permission"))).await;
        page.check("keys.png").await;
        assert_eq!(items(), 200);
        page.click(&format!("{} button", form("revoke_module"))).await;
        assert_eq!(items(), 401);

        page.click("nav a[href='/admin/schema']").await;
        assert!(page.is("document.querySelector('img').naturalWidth > 500").await);
        page.check("schema.png").await;
        page.0.set_window_size(500, 900).await.expect("a narrow window");
        page.check("narrow-schema.png").await;
        for (path, picture) in [("/admin/keys", "narrow-keys.png"), ("/admin", "narrow-migrations.png")] {
            page.open(&format!("{}{path}", server.url)).await;
            page.check(picture).await;
        }
        page.click("header form button").await;
        assert_eq!(page.text("h1").await, "Log in");
    })
    .await;
}

#[tokio::test]
async fn a_user_logs_in_consents_and_is_sent_back_with_a_code() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = directory.path().join("molos.db");
    let server = server(&database);
    // What answers is no application, but it is another site: to a browser, `localhost` and 127.0.0.1 are two.
    let redirect = format!("{}/healthz", server.url.replace("127.0.0.1", "localhost"));
    let output = succeed(&database, &["client", "create", "A <fine> app", "--redirect-uri", &redirect]);
    let client = output.split_whitespace().nth(1).expect("an id");
    let asked = encode(&[
        ("client_id", client),
        ("redirect_uri", &redirect),
        ("response_type", "code"),
        ("scope", "tasks:write notes:read"),
        ("state", "a state"),
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ]);
    in_browser(|page| async move {
        page.open(&format!("{}/oauth/authorize?{asked}", server.url)).await;
        page.log_in().await;
        assert_eq!(page.text("h1").await, "Allow A <fine> app?");
        page.check("consent.png").await;
        page.click("button[value=allow]").await;
        let url = page.0.current_url().await.expect("a URL");
        assert!(url.as_str().starts_with(&format!("{redirect}?code=molos_code_")), "{url}");
        assert!(url.as_str().ends_with("&state=a+state"), "{url}");
    })
    .await;
}

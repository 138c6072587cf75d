//! A real browser: Debian's Chromium without a window, told what to do through chromedriver (W3C WebDriver, and the
//! DevTools protocol where WebDriver itself would need script in the page).

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A browser with one page.
pub struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    /// A phone with a page of this size.
    pub fn phone(width: u32, height: u32) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|fault| panic!("chromedriver cannot be started ({fault}); tests/run installs it"));
        let output = BufReader::new(driver.stdout.take().expect("a pipe was asked for"));
        let mut lines = output.lines().map_while(Result::ok);
        let started = lines.find(|line| line.contains("started successfully on port"));
        let port = started
            .as_deref()
            .and_then(|line| line.trim_end_matches('.').rsplit(' ').next()?.parse().ok())
            .expect("chromedriver says where it listens");
        std::thread::spawn(move || lines.for_each(drop));
        let mut browser = Self {
            driver,
            port,
            session: String::new(),
        };
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
        ];
        let capabilities = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}});
        let session = browser.asked("POST", "/session", &capabilities);
        browser.session = session["sessionId"].as_str().expect("a session").to_owned();
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 2, "mobile": true});
        browser.tools("Emulation.setDeviceMetricsOverride", &screen);
        browser.tools("Emulation.setTouchEmulationEnabled", &json!({"enabled": true}));
        browser
    }

    /// No page runs script from now on.
    pub fn without_script(&mut self) {
        self.tools("Emulation.setScriptExecutionDisabled", &json!({"value": true}));
        self.open("data:text/html,<title>off</title><p id=p>off</p><script>document.all.p.textContent='on'</script>");
        let page = self.page();
        assert!(page.contains(">off</p>"), "script still runs: {page}");
    }

    /// Opens a page and waits until it is there.
    pub fn open(&mut self, address: &str) {
        self.tools("Page.navigate", &json!({"url": address}));
        let wanted = address.to_owned();
        self.until("the page to open", |browser| {
            browser.address() == wanted && browser.find("body").is_some()
        });
    }

    /// The page as it stands.
    pub fn page(&mut self) -> String {
        let root = self.root();
        let html = self.tools("DOM.getOuterHTML", &json!({"nodeId": root}));
        html["outerHTML"].as_str().expect("a page").to_owned()
    }

    /// Waits until something is there; the page then.
    pub fn wait_for(&mut self, selector: &str) -> String {
        self.until(selector, |browser| browser.find(selector).is_some());
        self.page()
    }

    /// Width of all that the page holds, in CSS pixels.
    pub fn content_width(&mut self) -> u64 {
        let metrics = self.tools("Page.getLayoutMetrics", &json!({}));
        metrics["cssContentSize"]["width"].as_f64().expect("a width") as u64
    }

    /// Height of an element, in CSS pixels.
    pub fn height_of(&mut self, selector: &str) -> u64 {
        let node = self.find(selector).expect("it is on the page");
        let model = self.tools("DOM.getBoxModel", &json!({"nodeId": node}));
        model["model"]["height"].as_f64().expect("a height") as u64
    }

    /// Touches an element in its middle.
    pub fn tap(&mut self, selector: &str) {
        let node = self.find(selector).expect("it is on the page");
        self.tools("DOM.scrollIntoViewIfNeeded", &json!({"nodeId": node}));
        let quads = self.tools("DOM.getContentQuads", &json!({"nodeId": node}));
        let at = |index: usize| quads["quads"][0][index].as_f64().expect("a place");
        let (x, y) = ((at(0) + at(4)) / 2.0, (at(1) + at(5)) / 2.0);
        self.tools(
            "Input.dispatchTouchEvent",
            &json!({"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}),
        );
        self.tools(
            "Input.dispatchTouchEvent",
            &json!({"type": "touchEnd", "touchPoints": []}),
        );
    }

    fn address(&mut self) -> String {
        let history = self.tools("Page.getNavigationHistory", &json!({}));
        let current = history["currentIndex"].as_u64().unwrap_or(0) as usize;
        history["entries"][current]["url"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    fn root(&mut self) -> u64 {
        let document = self.tools("DOM.getDocument", &json!({"depth": 0}));
        document["root"]["nodeId"].as_u64().expect("a document")
    }

    fn find(&mut self, selector: &str) -> Option<u64> {
        let root = self.root();
        // While another page takes its place the document is gone between two commands.
        let found = self.tried("DOM.querySelector", &json!({"nodeId": root, "selector": selector}))?;
        found["nodeId"].as_u64().filter(|node| *node > 0)
    }

    fn until(&mut self, what: &str, check: impl Fn(&mut Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !check(self) {
            assert!(Instant::now() < deadline, "waited for {what}");
            std::thread::yield_now();
        }
    }

    /// One command of the DevTools protocol.
    fn tools(&mut self, command: &str, parameters: &Value) -> Value {
        let path = format!("/session/{}/goog/cdp/execute", self.session);
        self.asked("POST", &path, &json!({"cmd": command, "params": parameters}))
    }

    /// The same; none if the page cannot do it now.
    fn tried(&mut self, command: &str, parameters: &Value) -> Option<Value> {
        let path = format!("/session/{}/goog/cdp/execute", self.session);
        self.exchange("POST", &path, &json!({"cmd": command, "params": parameters}))
            .ok()
    }

    /// One command of WebDriver.
    fn asked(&self, method: &str, path: &str, body: &Value) -> Value {
        self.exchange(method, path, body)
            .unwrap_or_else(|fault| panic!("{method} {path}: {fault}"))
    }

    fn exchange(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("chromedriver listens");
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .expect("chromedriver reads");
        let (head, body) = answer(stream);
        let value: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        if head.starts_with("HTTP/1.1 200") {
            Ok(value["value"].clone())
        } else {
            Err(format!("{head}{body}"))
        }
    }
}

/// Head and body of an answer. chromedriver keeps its connections, so the length says where it ends.
fn answer(stream: TcpStream) -> (String, String) {
    let waits = Some(Duration::from_secs(60));
    stream.set_read_timeout(waits).expect("the option exists");
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(
            reader.read_line(&mut head).expect("chromedriver answers") > 0,
            "an answer: {head}"
        );
    }
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .expect("a length");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("chromedriver answers");
    (head, String::from_utf8(body).expect("UTF-8"))
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let path = format!("/session/{}", self.session);
            if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
                // The browser ends with its session; if that fails there is nobody to tell.
                let _ = write!(stream, "DELETE {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
                let _ = stream.read(&mut [0; 1]);
            }
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

//! A client of the host protocol (docs/host-protocol.md): requests in both directions over the pipes of `flowcage host`.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Error, ErrorKind, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{channel, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{json, Value};

/// What a request comes to: its result, or the error object of the host.
pub type Answer = Result<Value, Value>;

/// Answers one request of the host: method and params. Its error has `message` and `data`.
pub type Handler = dyn Fn(&str, &Value) -> Answer + Send + Sync;

/// A running `flowcage host`. It ends when this is dropped: its stdin ends.
pub struct Host {
    process: Child,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
}

struct State {
    stdin: Option<ChildStdin>,
    last_id: u64,
    /// Who waits for which answer; None once no answer can come any more.
    waiting: Option<HashMap<u64, Sender<Answer>>>,
}

impl Host {
    /// Start the program `command`, and have its requests of the kinds `handlers` answered by `handler`.
    pub fn start(mut command: Command, handlers: &[&str], handler: Arc<Handler>) -> std::io::Result<Host> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdout = process.stdout.take().expect("it was asked for");
        let state = State { stdin: process.stdin.take(), last_id: 0, waiting: Some(HashMap::new()) };
        let shared = Arc::new(Shared { state: Mutex::new(state) });
        let reader = Arc::clone(&shared);
        thread::spawn(move || reader.read(stdout, handler));
        let host = Host { process, shared };
        let hello = json!({ "protocolVersion": "1.0", "handlers": handlers });
        match host.request("initialize", hello) {
            Ok(_) => Ok(host),
            Err(error) => Err(Error::new(ErrorKind::Other, error.to_string())),
        }
    }

    /// Send a request and wait for what answers it.
    pub fn request(&self, method: &str, params: Value) -> Answer {
        let (sender, receiver) = channel();
        let gone = || json!({ "message": "flowcage host has ended" });
        {
            let mut state = self.shared.state.lock().unwrap();
            state.last_id += 1;
            let id = state.last_id;
            state.waiting.as_mut().ok_or_else(gone)?.insert(id, sender);
            state.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        }
        receiver.recv().unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().stdin = None;
        let _ = self.process.wait();
    }
}

impl State {
    /// A host that is gone is noticed at the end of its stdout.
    fn write(&mut self, message: &Value) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(format!("{message}\n").as_bytes());
        }
    }
}

impl Shared {
    fn read(self: Arc<Shared>, stdout: ChildStdout, handler: Arc<Handler>) {
        for line in BufReader::new(stdout).lines() {
            match line.map(|text| serde_json::from_str::<Value>(&text)) {
                Ok(Ok(message)) => self.take(message, &handler),
                _ => break,
            }
        }
        self.state.lock().unwrap().waiting = None;
    }

    fn take(self: &Arc<Shared>, message: Value, handler: &Arc<Handler>) {
        if message.get("method").is_none() {
            self.settle(&message);
        } else if message.get("id").is_some() {
            let (shared, handler) = (Arc::clone(self), Arc::clone(handler));
            thread::spawn(move || shared.answer(&message, &handler));
        } // a notification: an event, or that an answer is not waited for any more, which is then dropped
    }

    fn settle(&self, message: &Value) {
        let mut state = self.state.lock().unwrap();
        let waiting = state.waiting.as_mut();
        let id = message["id"].as_u64();
        if let Some(sender) = waiting.and_then(|waiting| waiting.remove(&id?)) {
            let _ = sender.send(match message.get("error") {
                Some(error) => Err(error.clone()),
                None => Ok(message["result"].clone()),
            });
        }
    }

    fn answer(&self, request: &Value, handler: &Arc<Handler>) {
        let method = request["method"].as_str().unwrap_or_default();
        let mut reply = json!({ "jsonrpc": "2.0", "id": request["id"] });
        match handler(method, &request["params"]) {
            Ok(result) => reply["result"] = result,
            Err(error) => reply["error"] = error,
        }
        self.state.lock().unwrap().write(&reply);
    }
}

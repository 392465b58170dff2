//! Runs a workflow from Rust: `cargo run -- FILE [ARGS]`, where flowcage is in PATH. ARGS is JSON.
//!
//! The agent of this example answers with its prompt in capitals; a real one asks a model.

mod host;

use std::process::{exit, Command};
use std::sync::Arc;
use std::{env, fs};

use serde_json::{json, Value};

use host::{Answer, Host};

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let file = arguments.get(1).unwrap_or_else(|| fail("usage: flowcage-example FILE [ARGS]"));
    let source = fs::read_to_string(file).unwrap_or_else(|error| fail(&format!("{file}: {error}")));
    let text = arguments.get(2).map_or("{}", String::as_str);
    let args: Value = serde_json::from_str(text).unwrap_or_else(|error| fail(&format!("ARGS: {error}")));
    let mut command = Command::new("flowcage");
    command.args(["host", "--no-store"]);
    let host = Host::start(command, &["agent"], Arc::new(answer))
        .unwrap_or_else(|error| fail(&format!("flowcage host: {error}")));
    let outcome = run(&host, json!({ "source": source, "sourceName": file, "args": args }));
    drop(host);
    match outcome {
        Ok(outcome) if outcome["verdict"] == "completed" => println!("{}", outcome["result"]),
        Ok(outcome) => fail(&format!("{}: {}", outcome["verdict"], outcome["error"]["message"])),
        Err(error) => fail(error["message"].as_str().unwrap_or_default()),
    }
}

/// How a run ended. That it failed is an outcome, too; an error is that it was not begun.
fn run(host: &Host, start: Value) -> Answer {
    let started = host.request("run.start", start)?;
    let ended = host.request("run.wait", json!({ "runId": started["runId"] }))?;
    Ok(ended["outcome"].clone())
}

/// Prompts are the workflow's, which nobody has to trust.
fn answer(method: &str, params: &Value) -> Answer {
    match (method, params["prompt"].as_str()) {
        ("agent.ask", Some("")) => Err(refusal("there is nothing to answer")),
        ("agent.ask", Some(prompt)) => {
            let tokens = prompt.split_whitespace().count();
            Ok(json!({ "value": prompt.to_uppercase(), "usage": { "input": tokens, "output": tokens }, "costUsd": 0 }))
        }
        _ => Err(json!({ "code": -32601, "message": format!("there is no {method} here") })),
    }
}

fn refusal(message: &str) -> Value {
    json!({ "code": -32000, "message": message, "data": { "kind": "failed" } })
}

fn fail(message: &str) -> ! {
    eprintln!("{message}");
    exit(1)
}

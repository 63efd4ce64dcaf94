//! Runs a cell, and says how it went.

use super::errors::Fault;
use super::record::{Record, bundle};
use super::stale::Stale;
use super::stop::Stopped;
use super::{Kernel, lock};
use crate::code::ends_in_a_value;
use crate::wire::{Message, Peer};
use evcxr::{CommandContext, Error, EvalCallbacks, EvalOutputs};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// evcxr, and how many cells it has run.
pub(super) struct Runner {
    context: Result<CommandContext, Fault>,
    /// The number that the next cell gets.
    number: u64,
    stale: Stale,
}

/// What a request is answered with.
pub(super) struct Answer {
    pub(super) content: Value,
    /// The cells behind it do not run.
    pub(super) aborts: bool,
}

impl Runner {
    pub(super) fn new(context: Result<CommandContext, Fault>) -> Runner {
        Runner { context, number: 1, stale: Stale::default() }
    }

    pub(super) fn context(&mut self) -> Result<&mut CommandContext, &Fault> {
        self.context.as_mut().map_err(|fault| &*fault)
    }

    /// Runs the cell of an `execute_request`. `waiting` gives the cells that are to run after it.
    pub(super) fn execute(
        &mut self,
        kernel: &Kernel,
        peer: &Peer,
        message: &Message,
        waiting: impl FnOnce() -> BTreeSet<String>,
    ) -> Answer {
        let code = message.text("code");
        let silent = message.flag("silent", false);
        let stored = message.flag("store_history", true) && !silent;
        let number = self.number;
        if !silent {
            kernel.output.show("execute_input", &json!({ "code": code, "execution_count": number }));
        }
        let (value, outcome, stopped) = self.run(kernel, peer, message, number);
        if stored {
            self.number += 1;
            let text = value.as_ref().and_then(|data| data["text/plain"].as_str()).map(str::to_owned);
            lock(&kernel.history).note(number, code, text);
        }
        match outcome {
            Ok(()) => {
                if let Some(data) = value.filter(|_| !silent) {
                    kernel
                        .output
                        .show("execute_result", &json!({ "data": data, "metadata": {}, "execution_count": number }));
                }
                if stored && let Some(cell) = message.cell() {
                    self.stale.ran(cell, number, code, &waiting(), &kernel.output);
                }
                let content = json!({ "status": "ok", "execution_count": number, "payload": [], "user_expressions": unevaluated(message) });
                // Who pressed Stop does not want the next cell, either.
                Answer { content, aborts: stopped != Stopped::No }
            }
            Err(fault) => {
                let mut content = json!({ "ename": fault.name, "evalue": fault.value, "traceback": fault.traceback });
                if !silent {
                    kernel.output.show("error", &content);
                }
                content["status"] = json!("error");
                content["execution_count"] = json!(number);
                content["payload"] = json!([]);
                content["user_expressions"] = json!({});
                Answer { content, aborts: message.flag("stop_on_error", true) || stopped != Stopped::No }
            }
        }
    }

    /// The cell's value, how it went, and whether it was stopped.
    fn run(
        &mut self,
        kernel: &Kernel,
        peer: &Peer,
        message: &Message,
        number: u64,
    ) -> (Option<Value>, Result<(), Fault>, Stopped) {
        let code = message.text("code");
        let context = match &mut self.context {
            Ok(context) => context,
            Err(fault) => return (None, Err(fault.clone()), Stopped::No),
        };
        let mut variables: Vec<String> = context.variables_and_types().map(|(name, _)| name.to_owned()).collect();
        variables.sort();
        let connection = kernel.process.begin();
        kernel.stop.begin();
        let result = catch_unwind(AssertUnwindSafe(|| evaluate(context, kernel, peer, message)));
        let mut record = kernel.process.settle(connection);
        let stopped = kernel.stop.end();
        let commands = match &result {
            Ok(Ok(outputs)) => shown(outputs),
            _ => None,
        };
        let value = value(kernel, code, &mut record, commands);
        let fault = match result {
            Err(_) => Some(Fault::of_kernel()),
            Ok(Err(Error::SubprocessTerminated(_))) => {
                let how = record.ended.as_deref().unwrap_or("it is gone");
                Some(if stopped == Stopped::Killed {
                    Fault::of_stop(&variables)
                } else {
                    Fault::of_end(how, &record.last_words, &variables)
                })
            }
            Ok(Err(_)) if stopped != Stopped::No => Some(Fault::of_stop_while_compiling()),
            Ok(_) if record.refused => Some(Fault::of_stop_while_compiling()),
            Ok(Err(Error::CompilationErrors(errors))) => Some(Fault::of_compiling(&errors, code, number)),
            Ok(Err(error)) => Some(Fault::of_evcxr(&error.to_string())),
            Ok(Ok(_)) => record.failure.take().map(|(failure, text)| {
                let compiled = context.last_source().unwrap_or_default();
                let (fault, before) = Fault::of_failure(failure, &text, &record.last_words, code, &compiled, number);
                kernel.output.text("stderr", &before);
                fault
            }),
        };
        (value, fault.map_or(Ok(()), Err), stopped)
    }
}

/// Has evcxr compile and run the cell. An error of a `?` has to be `Display` for evcxr; where it is not, `Debug` will do.
fn evaluate(
    context: &mut CommandContext,
    kernel: &Kernel,
    peer: &Peer,
    message: &Message,
) -> Result<EvalOutputs, Error> {
    let code = message.text("code");
    let once = |context: &mut CommandContext| {
        let given_up = || kernel.stop.is_asked();
        let mut callbacks = EvalCallbacks {
            input_reader: &|request| {
                kernel.input.ask(message, &peer.identity, &request.prompt, request.is_password, given_up)
            },
        };
        context.execute_with_callbacks(code, &mut callbacks)
    };
    let first = once(context);
    let Err(Error::CompilationErrors(errors)) = &first else { return first };
    let undisplayed = |text: &str| text.contains("EvcxrUserCodeError") && text.contains("Display");
    if kernel.stop.is_asked()
        || !errors.iter().any(|error| error.code() == Some("E0277") && undisplayed(&error.json.to_string()))
    {
        return first;
    }
    context.execute(":efmt {:?}")?;
    let second = once(context);
    context.execute(":efmt {}")?;
    if matches!(second, Err(Error::CompilationErrors(_))) { first } else { second }
}

/// The cell's value: what its last expression has shown, or what evcxr's commands say. What is none is a display of its own.
fn value(kernel: &Kernel, code: &str, record: &mut Record, commands: Option<Value>) -> Option<Value> {
    let blocks = std::mem::take(&mut record.blocks);
    if blocks.is_empty() {
        return commands;
    }
    if let Some(data) = commands {
        kernel.output.show("display_data", &json!({ "data": data, "metadata": {}, "transient": {} }));
    }
    if record.failure.is_none() && record.ended.is_none() && ends_in_a_value(code) {
        return Some(bundle(blocks));
    }
    kernel.process.show_blocks(blocks);
    None
}

/// What evcxr itself has to show: the answers of its commands.
fn shown(outputs: &EvalOutputs) -> Option<Value> {
    let mut blocks: Vec<(String, Vec<u8>)> =
        outputs.content_by_mime_type.iter().map(|(kind, text)| (kind.clone(), text.clone().into_bytes())).collect();
    if let Some(time) = outputs.timing {
        blocks.push(("text/plain".to_owned(), format!("Took {} ms", time.as_millis()).into_bytes()));
    }
    (!blocks.is_empty()).then(|| bundle(blocks))
}

/// Expressions for which a front end asks beside the cell: each would be a cell of its own.
fn unevaluated(message: &Message) -> Value {
    let names = message.content["user_expressions"].as_object().into_iter().flatten();
    let error = json!({ "status": "error", "ename": "NotSupported", "evalue": "petal-kernel evaluates no user_expressions", "traceback": [] });
    Value::Object(names.map(|(name, _)| (name.clone(), error.clone())).collect())
}

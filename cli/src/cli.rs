//! The command line: global options, the list of verbs, and the way from one to its file.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::commands;
use crate::connection::{self, Client};
use crate::error::{CliError, Result};
use crate::output::Output;

/// Run durable workflows inside Postgres
#[derive(Parser)]
#[command(name = "rhythm", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

const EXIT_CODES: &str = "Exit codes: 0 ok, 1 the request cannot be done, 2 wrong usage, 3 the \
                          server cannot be reached or failed";

#[derive(Args)]
struct Global {
    /// Database, as postgresql://user@host/name; without it, PGHOST and so on, as psql reads them
    #[arg(
        long,
        global = true,
        env = "RHYTHM_URL",
        hide_env_values = true,
        value_name = "URL",
        help_heading = "Everywhere"
    )]
    url: Option<String>,
    /// Print JSON for programs
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
}

#[derive(Subcommand)]
enum Verb {
    Dev(commands::dev::DevArgs),
    Deploy(commands::deploy::DeployArgs),
    Check(commands::check::CheckArgs),
    Fmt(commands::fmt::FmtArgs),
    Explain(commands::explain::ExplainArgs),
    ExplainWorkflow(commands::explain_workflow::ExplainWorkflowArgs),
    Test(commands::test::TestArgs),
    Start(commands::start::StartArgs),
    Enqueue(commands::enqueue::EnqueueArgs),
    EnqueueMany(commands::enqueue_many::EnqueueManyArgs),
    EnqueueRows(commands::enqueue_rows::EnqueueRowsArgs),
    Wait(commands::wait::WaitArgs),
    #[command(visible_aliases = ["ls", "executions"])]
    List(commands::list::ListArgs),
    Show(commands::show::ShowArgs),
    Trace(commands::trace::TraceArgs),
    Log(commands::log::LogArgs),
    Why(commands::why::WhyArgs),
    Limits(commands::limits::LimitsArgs),
    Signal(commands::signal::SignalArgs),
    Call(commands::call::CallArgs),
    Cancel(commands::cancel::CancelArgs),
    Terminate(commands::terminate::TerminateArgs),
    Retry(commands::retry::RetryArgs),
    Resolve(commands::resolve::ResolveArgs),
    Move(commands::move_run::MoveArgs),
    MigrateRuns(commands::move_run::MigrateRunsArgs),
    States(commands::fork::StatesArgs),
    Fork(commands::fork::ForkArgs),
    #[command(visible_alias = "workflows")]
    Workflow(commands::workflow::WorkflowArgs),
    Cleanup(commands::cleanup::CleanupArgs),
    #[command(visible_alias = "queues")]
    Queue(commands::queue::QueueArgs),
    #[command(visible_alias = "schedules")]
    Schedule(commands::schedule::ScheduleArgs),
    #[command(visible_alias = "calendars")]
    Calendar(commands::calendar::CalendarArgs),
    Pause(commands::pause::PauseArgs),
    Resume(commands::pause::ResumeArgs),
    Adopt(commands::adopt::AdoptArgs),
    #[command(visible_alias = "workers")]
    Worker(commands::worker::WorkerArgs),
    #[command(visible_alias = "tasks")]
    Task(commands::task::TaskArgs),
    Completions(commands::completions::CompletionsArgs),
}

/// What a verb gets besides its own arguments.
pub(crate) struct Context {
    url: Option<String>,
    pub(crate) output: Output,
}

impl Context {
    /// Connects to the database; verbs that need none never do.
    pub(crate) async fn client(&self) -> Result<Client> {
        connection::open(self.url.as_deref()).await
    }
}

/// Parses the command line, runs the verb, and turns its outcome into an exit code.
pub(crate) fn run() -> ExitCode {
    let Cli { global, verb } = Cli::parse();
    let context = Context {
        url: global.url,
        output: Output::new(global.json),
    };
    // One thread is enough, and the embedded server must be started from one that stays.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(verb, &context)),
        Err(error) => Err(CliError::server(format!("cannot start: {error}"))),
    };
    match outcome {
        // What was asked for is done, but the caller does not have the answer.
        Ok(()) if context.output.is_incomplete() => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            context.output.error(&error);
            error.exit_code()
        }
    }
}

async fn dispatch(verb: Verb, context: &Context) -> Result<()> {
    match verb {
        Verb::Dev(args) => commands::dev::run(args, context).await,
        Verb::Deploy(args) => commands::deploy::run(args, context).await,
        Verb::Check(args) => commands::check::run(&args, context),
        Verb::Fmt(args) => commands::fmt::run(&args, context),
        Verb::Explain(args) => commands::explain::run(&args, context),
        Verb::ExplainWorkflow(args) => commands::explain_workflow::run(args, context).await,
        Verb::Test(args) => commands::test::run(args, context),
        Verb::Start(args) => commands::start::run(args, context).await,
        Verb::Enqueue(args) => commands::enqueue::run(args, context).await,
        Verb::EnqueueMany(args) => commands::enqueue_many::run(args, context).await,
        Verb::EnqueueRows(args) => commands::enqueue_rows::run(args, context).await,
        Verb::Wait(args) => commands::wait::run(args, context).await,
        Verb::List(args) => commands::list::run(args, context).await,
        Verb::Show(args) => commands::show::run(args, context).await,
        Verb::Trace(args) => commands::trace::run(args, context).await,
        Verb::Log(args) => commands::log::run(args, context).await,
        Verb::Why(args) => commands::why::run(args, context).await,
        Verb::Limits(args) => commands::limits::run(args, context).await,
        Verb::Signal(args) => commands::signal::run(args, context).await,
        Verb::Call(args) => commands::call::run(args, context).await,
        Verb::Cancel(args) => commands::cancel::run(args, context).await,
        Verb::Terminate(args) => commands::terminate::run(args, context).await,
        Verb::Retry(args) => commands::retry::run(args, context).await,
        Verb::Resolve(args) => commands::resolve::run(args, context).await,
        Verb::Move(args) => commands::move_run::one(args, context).await,
        Verb::MigrateRuns(args) => commands::move_run::many(args, context).await,
        Verb::States(args) => commands::fork::states(args, context).await,
        Verb::Fork(args) => commands::fork::fork(args, context).await,
        Verb::Workflow(args) => commands::workflow::run(args, context).await,
        Verb::Cleanup(args) => commands::cleanup::run(args, context).await,
        Verb::Queue(args) => commands::queue::run(args, context).await,
        Verb::Schedule(args) => commands::schedule::run(args, context).await,
        Verb::Calendar(args) => commands::calendar::run(args, context).await,
        Verb::Pause(args) => commands::pause::pause(args, context).await,
        Verb::Resume(args) => commands::pause::resume(args, context).await,
        Verb::Adopt(args) => commands::adopt::run(args, context).await,
        Verb::Worker(args) => commands::worker::run(args, context).await,
        Verb::Task(args) => commands::task::run(args, context).await,
        Verb::Completions(args) => commands::completions::run(&args, context),
    }
}

//! Child processes that end with the test run, however that ends.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, Once, OnceLock};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A child and what the kernel sends it when this process is gone.
struct Order {
    command: Command,
    at_our_end: Signal,
    answer: Sender<std::io::Result<Child>>,
}

/// Starts `command`; should the test run be killed, the kernel sends the child `at_our_end`.
///
/// The kernel counts the end of the *thread* that made the child, so one thread that never ends makes all of them.
pub fn spawn(mut command: Command, at_our_end: Signal) -> Child {
    static SPAWNER: OnceLock<Mutex<Sender<Order>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = channel::<Order>();
        std::thread::spawn(move || {
            for mut order in inbox {
                let at_our_end = order.at_our_end;
                // SAFETY: between fork and exec it makes one system call and touches no memory.
                unsafe {
                    order.command.pre_exec(move || {
                        nix::libc::prctl(
                            nix::libc::PR_SET_PDEATHSIG,
                            at_our_end as nix::libc::c_ulong,
                        );
                        Ok(())
                    });
                }
                // Whoever ordered it waits for it.
                let _ = order.answer.send(order.command.spawn());
            }
        });
        Mutex::new(orders)
    });
    // A terminal's Ctrl-C is for the test run alone.
    command.process_group(0);
    let program = command.get_program().to_owned();
    let (answer, made) = channel();
    spawner
        .lock()
        .expect("no spawner has panicked")
        .send(Order {
            command,
            at_our_end,
            answer,
        })
        .expect("the spawner lives");
    made.recv()
        .expect("the spawner answers")
        .unwrap_or_else(|e| panic!("cannot run {program:?}: {e}"))
}

/// Sends a signal to a process; one that is gone need not get it.
pub fn signal(pid: u32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid.cast_signed()), signal);
}

/// Folders to remove and servers to end when this process exits: a test binary has no last destructor.
static AT_EXIT: Mutex<(Vec<u32>, Vec<PathBuf>)> = Mutex::new((Vec::new(), Vec::new()));

/// Has a server killed at the exit of this process.
pub fn end_at_exit(pid: u32) {
    register();
    AT_EXIT.lock().expect("nobody panics here").0.push(pid);
}

/// Has a folder removed at the exit of this process.
pub fn remove_at_exit(path: PathBuf) {
    register();
    AT_EXIT.lock().expect("nobody panics here").1.push(path);
}

fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the function takes nothing, returns nothing and does not unwind.
        unsafe {
            nix::libc::atexit(clean_up);
        }
    });
}

extern "C" fn clean_up() {
    let Ok(mut all) = AT_EXIT.lock() else { return };
    for pid in all.0.drain(..) {
        // An immediate shutdown takes the backends along; the data is thrown away anyway.
        signal(pid, Signal::SIGQUIT);
        let _ = nix::sys::wait::waitpid(Pid::from_raw(pid.cast_signed()), None);
    }
    // For a look at logs and data after a failure.
    if std::env::var_os("RHYTHM_TEST_KEEP").is_some() {
        return;
    }
    for path in all.1.drain(..) {
        let _ = std::fs::remove_dir_all(path);
    }
}

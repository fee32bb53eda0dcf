//! sled panics over files that it cannot make sense of. That is expected here and
//! mended by a rebuild, which is told in words; a backtrace before them would only
//! frighten. Panics anywhere else are shown as ever.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    /// Whether this thread is where a panic is expected.
    static HERE: Cell<bool> = const { Cell::new(false) };
}

/// How many threads are: sled's own threads may panic with them.
static ANYWHERE: AtomicUsize = AtomicUsize::new(0);

static HOOK: Once = Once::new();

/// Does something in which sled may panic. A panic is the answer, and is not
/// shown to the person at the terminal.
///
/// # Errors
/// What it panicked with.
pub(super) fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    HOOK.call_once(|| {
        let shown = take_hook();
        set_hook(Box::new(move |panic| {
            if is_expected() {
                tracing::debug!(%panic, "sled panicked");
            } else {
                shown(panic);
            }
        }));
    });
    ANYWHERE.fetch_add(1, Ordering::SeqCst);
    let outer = HERE.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    HERE.set(outer);
    ANYWHERE.fetch_sub(1, Ordering::SeqCst);
    done
}

fn is_expected() -> bool {
    let ours = HERE.try_with(Cell::get).unwrap_or(false);
    let sleds = || {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or_default();
        name.starts_with("sled-") || name == "log flusher"
    };
    ours || (ANYWHERE.load(Ordering::SeqCst) > 0 && sleds())
}

#[cfg(test)]
#[path = "quiet_tests.rs"]
mod tests;

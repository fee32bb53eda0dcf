//! The one setting of the template engine: limits, the library, no escaping, no
//! loader. Nothing else in the crate makes an engine.

use std::sync::OnceLock;

use minijinja::{Environment, UndefinedBehavior};

use super::{Error, MAX_SOURCE, library, prepare};

/// The name of the only template of an environment.
pub(crate) const NAME: &str = "text";

/// How many steps one evaluation may take.
const FUEL: u64 = 50_000;
/// How deep one evaluation may nest.
const RECURSION: usize = 50;

fn shared() -> &'static Environment<'static> {
    static SHARED: OnceLock<Environment<'static>> = OnceLock::new();
    SHARED.get_or_init(|| {
        // `empty`: only what the library names can be called.
        let mut env = Environment::empty();
        env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        env.set_fuel(Some(FUEL));
        env.set_recursion_limit(RECURSION);
        // The same in debug and release, so that messages are.
        env.set_debug(true);
        library::install(&mut env);
        env
    })
}

fn fits(source: &str) -> Result<(), Error> {
    if source.len() > MAX_SOURCE {
        return Err(Error::syntax(format!(
            "it is longer than {MAX_SOURCE} bytes"
        )));
    }
    Ok(())
}

/// Compiles an expression.
pub(crate) fn expression(source: &str) -> Result<minijinja::Expression<'static, 'static>, Error> {
    fits(source)?;
    Ok(shared().compile_expression_owned(prepare::expression(source)?)?)
}

/// An expression as it is written, without our bounds and comparisons.
#[cfg(test)]
pub(crate) fn unprepared(source: &str) -> Result<minijinja::Expression<'static, 'static>, Error> {
    Ok(shared().compile_expression_owned(source.to_owned())?)
}

/// Compiles a template, which the engine keeps in an environment of its own:
/// the library in it is shared, so that is a few hundred bytes.
pub(crate) fn template(source: &str) -> Result<Environment<'static>, Error> {
    fits(source)?;
    let mut env = shared().clone();
    env.add_template_owned(NAME, prepare::template(source)?)?;
    Ok(env)
}

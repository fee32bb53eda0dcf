//! From whom a text or call goes: the agent, the connection and our number, out
//! of what a request names and what the configuration says. (R6–R10, C2–C4)

use axum::http::StatusCode;
use ringback_core::engine::{Agent, Setup};
use ringback_core::model::PhoneNumber;

use super::Error;

/// What a request names, as it was given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Named<'a> {
    /// The agent's id.
    pub(crate) agent: Option<&'a str>,
    /// The connection's name.
    pub(crate) connection: Option<&'a str>,
    /// Our number.
    pub(crate) from: Option<&'a PhoneNumber>,
}

/// From whom it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct From {
    /// The agent's id.
    pub(crate) agent: String,
    /// The connection's name.
    pub(crate) connection: String,
    /// Our number; none lets the provider choose.
    pub(crate) number: Option<PhoneNumber>,
}

/// What the fields are called in the request's dialect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names {
    /// The agent's field.
    pub(crate) agent: &'static str,
    /// The connection's field.
    pub(crate) connection: &'static str,
    /// Our number's field.
    pub(crate) from: &'static str,
}

/// The agent of this id.
///
/// # Errors
/// 404, naming the ids there are.
pub(crate) fn agent<'a>(setup: &'a Setup, id: &str, field: &str) -> Result<&'a Agent, Error> {
    setup.agents.get(id).ok_or_else(|| {
        let text = format!(
            "there is no agent {id:?}; there is {}",
            list(setup.agents.keys())
        );
        Error::new(StatusCode::NOT_FOUND, "unknown_agent", text).at(field)
    })
}

/// Names in a sentence.
pub(crate) fn list(names: impl Iterator<Item = impl ToString>) -> String {
    let names: Vec<String> = names.map(|name| name.to_string()).collect();
    match names.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, before)) => format!("{} and {last}", before.join(", ")),
    }
}

/// Finds out from whom a text goes. The connection is the one that is named,
/// else the agent's; our number is the one that is named, else the agent's own,
/// else the provider's choice, else the connection's only number.
///
/// # Errors
/// 404 for an agent or connection that does not exist, 400 for what is missing
/// or does not go together.
pub(crate) fn resolve(setup: &Setup, named: Named<'_>, names: Names) -> Result<From, Error> {
    let given = named
        .agent
        .map(|id| agent(setup, id, names.agent))
        .transpose()?;
    let connection = match (named.connection, given) {
        (Some(name), _) => name,
        (None, Some(agent)) => match &agent.connection {
            Some(name) => name,
            None => {
                let text = format!(
                    "agent {:?} has no connection; name one in `{}`",
                    agent.id, names.connection
                );
                return Err(Error::field(names.connection, "connection_required", text));
            }
        },
        (None, None) => {
            let text = format!("name `{}` or `{}`", names.agent, names.connection);
            return Err(Error::field(names.connection, "connection_required", text));
        }
    };
    let Some(account) = setup.connections.get(connection) else {
        let text = format!(
            "there is no connection {connection:?}; there is {}",
            list(setup.connections.keys())
        );
        return Err(
            Error::new(StatusCode::NOT_FOUND, "unknown_connection", text).at(names.connection),
        );
    };
    let on_it = |agent: &Agent| {
        agent
            .connection
            .as_deref()
            .is_none_or(|own| own == connection)
    };
    let made = |agent: &Agent, number: Option<&PhoneNumber>| From {
        agent: agent.id.clone(),
        connection: connection.to_owned(),
        number: number.cloned(),
    };
    if let Some(number) = named.from {
        let owner = setup.owner(number).filter(|owner| on_it(owner));
        let Some(owner) = owner else {
            let text = format!(
                "{number} is not a number of connection {connection:?}; it has {}",
                list(numbers(setup, connection).iter().map(|(number, _)| number))
            );
            return Err(Error::field(names.from, "unknown_number", text));
        };
        return Ok(made(given.unwrap_or(owner), Some(number)));
    }
    if let Some(agent) = given.filter(|agent| on_it(agent))
        && let Some(number) = agent.numbers.first()
    {
        return Ok(made(agent, Some(number)));
    }
    let owned = numbers(setup, connection);
    if account.chooses_sender {
        let mut agents = setup.agents.values().filter(|agent| on_it(agent));
        let only = agents.next().filter(|_| agents.next().is_none());
        if let Some(agent) = given.or(only) {
            return Ok(made(agent, None));
        }
        let text = format!(
            "several agents use connection {connection:?}; name one in `{}`",
            names.agent
        );
        return Err(Error::field(names.agent, "agent_required", text));
    }
    match owned.as_slice() {
        [(number, owner)] => Ok(made(given.unwrap_or(owner), Some(number))),
        [] => {
            let text = format!(
                "connection {connection:?} has no number; give an agent one in its `numbers`"
            );
            Err(Error::field(names.from, "from_required", text))
        }
        several => {
            let numbers = list(several.iter().map(|(number, _)| number));
            let text = format!(
                "connection {connection:?} has several numbers: {numbers}; name one in `{}`",
                names.from
            );
            Err(Error::field(names.from, "from_required", text))
        }
    }
}

/// The numbers that a connection serves, with their agents.
fn numbers<'a>(setup: &'a Setup, connection: &str) -> Vec<(&'a PhoneNumber, &'a Agent)> {
    let agents = setup.agents.values();
    agents
        .filter(|agent| agent.connection.as_deref() == Some(connection))
        .flat_map(|agent| agent.numbers.iter().map(move |number| (number, agent)))
        .collect()
}

#[cfg(test)]
mod tests;

//! From whom a text goes. (R6–R10)

use ringback_core::model::PhoneNumber;

use super::{Named, Names, resolve};
use crate::api::tests::setup;

const NAMES: Names = Names {
    agent: "agent",
    connection: "connection",
    from: "from",
};

/// What is named (agent, connection, number; empty for left out) and what comes
/// of it: agent, connection and number, or the code of the refusal.
fn check(named: (&str, &str, &str), expected: Result<(&str, &str, Option<&str>), &str>) {
    let given = |text: &'static str| Some(text).filter(|text| !text.is_empty());
    let number = PhoneNumber::parse(named.2);
    let leak = |text: &str| given(Box::leak(text.to_owned().into_boxed_str()));
    let asked = Named {
        agent: leak(named.0),
        connection: leak(named.1),
        from: number.as_ref(),
    };
    let setup = setup();
    let found = resolve(&setup, asked, NAMES);
    let found = found.as_ref().map_err(|error| error.parts().1).map(|from| {
        (
            from.agent.as_str(),
            from.connection.as_str(),
            from.number.as_ref().map(PhoneNumber::as_str),
        )
    });
    assert_eq!(found, expected, "{named:?}");
}

#[test]
fn what_is_named_comes_first_then_the_agents_then_the_connections() {
    const DESK: &str = "+15125550100";
    const SALES: &str = "+15125550101";
    check(
        ("front-desk", "", ""),
        Ok(("front-desk", "main", Some(DESK))),
    );
    check(
        ("front-desk", "", DESK),
        Ok(("front-desk", "main", Some(DESK))),
    );
    check(("", "main", ""), Ok(("front-desk", "main", Some(DESK))));
    check(("", "main", DESK), Ok(("front-desk", "main", Some(DESK))));
    // A named connection beats the agent's, whose number is not on it.
    check(("front-desk", "pool", ""), Ok(("front-desk", "pool", None)));
    check(("sales", "main", ""), Ok(("sales", "main", Some(DESK))));
    check(("", "pool", ""), Ok(("sales", "pool", None)));
    check(("", "", DESK), Err("connection_required"));
    check(("", "", ""), Err("connection_required"));
    check(("front-desk", "", SALES), Err("unknown_number"));
    check(("x", "", ""), Err("unknown_agent"));
    check(("", "x", ""), Err("unknown_connection"));
}

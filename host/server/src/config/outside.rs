//! The sections about what workflows may reach: `[http]`, `[models.…]`.

use std::collections::BTreeMap;

use super::reader::{Item, Section};
use super::sections::{NOT_YET, section};

/// What a model is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    /// Canned answers that say that they are canned: for demos and tests.
    Scripted {
        /// What it writes, one after another; empty means its own words.
        answers: Vec<String>,
        /// What it finds in every text, by the names that are asked for.
        facts: BTreeMap<String, String>,
    },
}

/// `[http]`: hosts beside the public ones that the requests of workflows may go to,
/// as `http://127.0.0.1:9000`.
pub(super) fn hosts(root: &mut Section<'_>) -> Vec<String> {
    let Some(mut section) = section(root, "http") else {
        return Vec::new();
    };
    let mut hosts = Vec::new();
    for item in section.take("hosts").iter().flat_map(Item::list) {
        let Some(text) = item.text() else { continue };
        match reqwest::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.path() == "/" => {
                hosts.push(text.to_owned());
            }
            _ => item.error(
                format!("{text:?} is not the address of a host"),
                Some("write it like \"http://127.0.0.1:9000\", without a path"),
            ),
        }
    }
    section.finish();
    hosts
}

/// `[models.…]`
pub(super) fn models(root: &mut Section<'_>) -> BTreeMap<String, Model> {
    let mut section = section(root, "models");
    let items = section.iter_mut().flat_map(Section::rest);
    items
        .filter_map(|item| Some((item.name.to_owned(), model(&item)?)))
        .collect()
}

fn model(item: &Item<'_>) -> Option<Model> {
    let mut section = item.section()?;
    let connector = section.require("connector", "add connector = \"scripted\"")?;
    match connector.text()? {
        "scripted" => {
            let answers = section.take("answers");
            let answers = answers.iter().flat_map(Item::list);
            let answers = answers.filter_map(|item| item.text().map(str::to_owned));
            let answers = answers.collect();
            let mut facts = section.take("facts").and_then(|item| item.section());
            let facts = facts.iter_mut().flat_map(Section::rest);
            let facts = facts.filter_map(|item| Some((item.name.to_owned(), item.text()?.into())));
            let facts = facts.collect();
            section.finish();
            Some(Model::Scripted { answers, facts })
        }
        other => {
            connector.warning(
                format!("the model connector {other:?} {NOT_YET}"),
                Some("it is ignored; there is: scripted"),
            );
            // Its own settings are not known yet.
            let _ = section.rest();
            None
        }
    }
}

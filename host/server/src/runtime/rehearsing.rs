//! What a workflow is rehearsed beside: the others, as they serve. Plays nothing.

use std::sync::Arc;

use ringback_core::engine::{Catalog, InService};
use ringback_core::workflow::Workflow;

/// Takes a version into a catalogue that nothing real is served from.
pub(crate) fn serve(catalog: &mut Catalog, workflow: &Arc<Workflow>) {
    let workflow = Arc::clone(workflow);
    catalog
        .by_hash
        .insert(workflow.hash.clone(), Arc::clone(&workflow));
    let id = workflow.definition.id.clone();
    let in_service = InService {
        workflow,
        version: 1,
    };
    catalog.in_service.insert(id, in_service);
}

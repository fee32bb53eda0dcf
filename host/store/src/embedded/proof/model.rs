//! A disk as a power cut sees it: what is durable, and what is only in the page
//! cache and may be kept or lost, page by page and entry by entry.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Dice;
use super::image::{Image, Loss, mix_pages};
use super::recorder::{Did, Event, Files};

type Id = usize;

#[derive(Clone)]
enum Node {
    File {
        durable: Arc<[u8]>,
        now: Arc<[u8]>,
        /// A sync failed: the kernel may take what it has for clean from then on.
        stuck: bool,
    },
    Dir {
        durable: BTreeMap<String, Id>,
        now: BTreeMap<String, Id>,
        /// What was done since it was synced, in order.
        pending: Vec<Change>,
    },
}

/// One thing done to a directory's entries; a journaling file system keeps each
/// of them whole or not at all.
#[derive(Clone)]
enum Change {
    Link(String, Id),
    Unlink(String),
    Rename(String, String, Id),
}

/// See the module. The first node is the place that was watched.
#[derive(Clone)]
pub(super) struct Model {
    nodes: Vec<Node>,
}

fn empty_dir() -> Node {
    Node::Dir {
        durable: BTreeMap::new(),
        now: BTreeMap::new(),
        pending: Vec::new(),
    }
}

fn apply(entries: &mut BTreeMap<String, Id>, change: &Change) {
    match change {
        Change::Link(name, id) => {
            entries.insert(name.clone(), *id);
        }
        Change::Unlink(name) => {
            entries.remove(name);
        }
        Change::Rename(from, to, id) => {
            entries.remove(from);
            entries.insert(to.clone(), *id);
        }
    }
}

fn split(path: &Path) -> (&Path, String) {
    let name = path.file_name().unwrap().to_str().unwrap().to_owned();
    (path.parent().unwrap(), name)
}

impl Model {
    pub(super) fn new() -> Self {
        Self {
            nodes: vec![empty_dir()],
        }
    }

    /// Something happened, and came to its end.
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::Effect(did) => self.did(did),
            Event::Sled(name, files) => self.sled(name, files.as_ref()),
            Event::Answered(_) => {}
        }
    }

    fn did(&mut self, did: &Did) {
        match did {
            Did::CreateDir(path) => {
                self.make_dir(path);
            }
            Did::Create(path) => match self.find(path) {
                Some(id) => self.write(id, 0, &[], true),
                None => {
                    let id = self.add(Node::File {
                        durable: Arc::default(),
                        now: Arc::default(),
                        stuck: false,
                    });
                    self.change(path, |name| Change::Link(name, id));
                }
            },
            Did::Write(path, at, bytes) => {
                let id = self.find(path).unwrap();
                self.write(id, *at, bytes, false);
            }
            Did::Sync(path) => {
                let id = self.find(path).unwrap();
                if let Node::File {
                    durable,
                    now,
                    stuck: false,
                } = &mut self.nodes[id]
                {
                    *durable = Arc::clone(now);
                }
            }
            Did::SyncFailed(path) => {
                let id = self.find(path).unwrap();
                if let Node::File { stuck, .. } = &mut self.nodes[id] {
                    *stuck = true;
                }
            }
            Did::SyncDir(path) => {
                let id = self.find(path).unwrap();
                if let Node::Dir {
                    durable,
                    now,
                    pending,
                } = &mut self.nodes[id]
                {
                    durable.clone_from(now);
                    pending.clear();
                }
            }
            Did::Rename(from, to) => {
                let id = self.find(from).unwrap();
                let old = split(from).1;
                self.change(to, |name| Change::Rename(old, name, id));
            }
            Did::Remove(path) | Did::RemoveAll(path) => self.change(path, Change::Unlink),
            Did::Flush => {}
        }
    }

    /// Something happened, and was cut off in the middle: the disk afterwards.
    pub(super) fn torn(&self, did: &Did, dice: &mut Dice) -> Image {
        let mut model = self.clone();
        match did {
            Did::Write(path, at, bytes) => {
                let part = &bytes[..dice.roll(bytes.len().max(1))];
                model.did(&Did::Write(path.clone(), *at, part.into()));
                model.image(&mut Loss::Nothing)
            }
            Did::Sync(path) => {
                let id = model.find(path).unwrap();
                if let Node::File { durable, now, .. } = &mut model.nodes[id] {
                    *durable = mix_pages(durable, now, dice);
                }
                model.image(&mut Loss::Everything)
            }
            Did::SyncDir(path) => {
                let id = model.find(path).unwrap();
                if let Node::Dir {
                    durable, pending, ..
                } = &mut model.nodes[id]
                {
                    for change in pending.iter().filter(|_| dice.heads()) {
                        apply(durable, change);
                    }
                }
                model.image(&mut Loss::Everything)
            }
            Did::RemoveAll(path) => {
                let id = model.find(path).unwrap();
                if let Node::Dir { now, durable, .. } = &mut model.nodes[id] {
                    for name in now.clone().into_keys().filter(|_| dice.heads()) {
                        now.remove(&name);
                        durable.remove(&name);
                    }
                }
                model.image(&mut Loss::Nothing)
            }
            Did::SyncFailed(_) => model.image(&mut Loss::Everything),
            Did::Flush => model.image(&mut Loss::Some(dice.clone())),
            // The entry is on the disk, and nothing that went before it.
            Did::CreateDir(path) | Did::Create(path) | Did::Remove(path) | Did::Rename(path, _) => {
                model.did(did);
                let parent = model.find(split(path).0).unwrap();
                if let Node::Dir {
                    durable, pending, ..
                } = &mut model.nodes[parent]
                    && let Some(last) = pending.last()
                {
                    apply(durable, last);
                }
                model.image(&mut Loss::Everything)
            }
        }
    }

    /// The disk after a crash now.
    pub(super) fn image(&self, loss: &mut Loss) -> Image {
        let mut image = Image::default();
        self.lay_out(0, Path::new(""), loss, &mut image);
        image
    }

    fn lay_out(&self, id: Id, path: &Path, loss: &mut Loss, image: &mut Image) {
        match &self.nodes[id] {
            Node::File { durable, now, .. } => image.file(path, loss.bytes(durable, now)),
            Node::Dir {
                durable,
                now,
                pending,
            } => {
                image.dir(path);
                let entries = match loss {
                    Loss::Nothing => now.clone(),
                    Loss::Everything => durable.clone(),
                    Loss::Some(dice) => {
                        let mut entries = durable.clone();
                        for change in pending.iter().filter(|_| dice.heads()) {
                            apply(&mut entries, change);
                        }
                        entries
                    }
                };
                for (name, id) in entries {
                    self.lay_out(id, &path.join(name), loss, image);
                }
            }
        }
    }

    /// sled's own doing: nothing of it is durable before we sync it.
    fn sled(&mut self, name: &str, files: Option<&Files>) {
        let dir = Path::new(name).to_path_buf();
        let Some(files) = files else {
            self.change(&dir, Change::Unlink);
            return;
        };
        self.make_dir(&dir);
        let id = self.find(&dir).unwrap();
        let old = match &self.nodes[id] {
            Node::Dir { now, .. } => now.clone(),
            Node::File { .. } => BTreeMap::new(),
        };
        for gone in old.keys().filter(|name| !files.contains_key(*name)) {
            self.change(&dir.join(gone), Change::Unlink);
        }
        for (name, bytes) in files {
            match old.get(name) {
                Some(id) => self.content(*id, bytes),
                None => {
                    let id = self.add(Node::File {
                        durable: Arc::default(),
                        now: Arc::clone(bytes),
                        stuck: false,
                    });
                    self.change(&dir.join(name), |name| Change::Link(name, id));
                }
            }
        }
    }

    fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn make_dir(&mut self, path: &Path) {
        if path.as_os_str().is_empty() || self.find(path).is_some() {
            return;
        }
        self.make_dir(split(path).0);
        let id = self.add(empty_dir());
        self.change(path, |name| Change::Link(name, id));
    }

    /// Does something to the directory that a path lies in.
    fn change(&mut self, path: &Path, make: impl FnOnce(String) -> Change) {
        let (parent, name) = split(path);
        let parent = self.find(parent).unwrap();
        if let Node::Dir { now, pending, .. } = &mut self.nodes[parent] {
            let change = make(name);
            apply(now, &change);
            pending.push(change);
        }
    }

    fn content(&mut self, id: Id, bytes: &Arc<[u8]>) {
        if let Node::File { now, .. } = &mut self.nodes[id] {
            *now = Arc::clone(bytes);
        }
    }

    fn write(&mut self, id: Id, at: usize, bytes: &[u8], truncate: bool) {
        if let Node::File { now, .. } = &mut self.nodes[id] {
            let mut content = if truncate { Vec::new() } else { now.to_vec() };
            content.resize(content.len().max(at + bytes.len()), 0);
            content[at..at + bytes.len()].copy_from_slice(bytes);
            *now = content.into();
        }
    }

    fn find(&self, path: &Path) -> Option<Id> {
        path.components().try_fold(0, |id, part| {
            let Node::Dir { now, .. } = &self.nodes[id] else {
                return None;
            };
            now.get(part.as_os_str().to_str()?).copied()
        })
    }
}

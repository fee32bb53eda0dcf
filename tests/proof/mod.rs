//! The proofs of durability on the real binary: kills, power cuts, and disks that
//! are full or broken, all under the same load, against a provider that loses
//! requests and answers. Short in the normal run; `RINGBACK_PROOF=long` makes them
//! ten times as long. Each prints one line of figures.

mod books;
mod disk;
mod kills;
mod lane;
mod load;
mod power;
mod volume;

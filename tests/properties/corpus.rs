//! The fuzz targets' properties, on the committed corpus and on what a few simple changes make of
//! it: without the nightly compiler, and the same in every run.

use crate::targets::{
    configuration, foreign_files, glob, identity, kernel_answers, merges, preload_file, proc_files,
    rules,
};
use opentelemetry_injector_policy::Runtime;
use std::fs;
use support::root;

/// How many changed inputs are made of each one of the corpus.
const CHANGES: usize = 300;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = root().join("tests/fuzz/corpus").join(target);
    let entries = fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has no corpus");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn replay(target: &str, look_at: impl Fn(&[u8])) {
    let inputs = corpus(target);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % limit.max(1) as u64).unwrap()
    };
    for input in &inputs {
        look_at(input);
        for _ in 0..CHANGES {
            let mut changed = input.clone();
            for _ in 0..=below(3) {
                let (from, to) = (below(changed.len()), below(changed.len()));
                let other = &inputs[below(inputs.len())];
                let part = other[below(other.len())..].iter().take(below(12)).copied();
                match below(3) {
                    0 => drop(changed.splice(from..from, part)),
                    1 => drop(changed.drain(from.min(to)..from.max(to))),
                    _ => changed.extend(part),
                }
            }
            look_at(&changed);
        }
    }
}

#[test]
fn the_configuration_loader_holds_its_word() {
    replay("configuration", configuration::look_at);
}

#[test]
fn the_preload_files_editor_holds_its_word() {
    replay("preload_file", preload_file::look_at);
}

#[test]
fn the_pattern_matcher_holds_its_word() {
    replay("glob", glob::look_at);
}

#[test]
fn service_names_hold_their_word() {
    replay("identity", identity::look_at);
}

#[test]
fn readers_of_applications_files_hold_their_word() {
    replay("application_files", foreign_files::look_at_names);
}

#[test]
fn readers_of_runtimes_files_hold_their_word() {
    replay("runtime_files", foreign_files::look_at_decisions);
}

#[test]
fn rules_hold_their_word() {
    replay("rules", rules::look_at);
}

#[test]
fn readers_of_the_kernels_answers_hold_their_word() {
    replay("kernel_answers", kernel_answers::look_at);
}

#[test]
fn readers_of_other_processes_files_hold_their_word() {
    replay("proc_files", proc_files::look_at);
}

#[test]
fn every_merge_holds_its_word() {
    for runtime in Runtime::ALL {
        replay(runtime.section(), |input| merges::look_at(input, runtime));
    }
}

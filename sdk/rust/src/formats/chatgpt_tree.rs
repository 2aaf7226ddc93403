//! Tree of the messages of a ChatGPT conversation: the branch in view, mended where links between messages are broken.
//!
//! A node names its `parent`, and its parent names it among its `children`; ids are keys of the map, or the nodes' own `id`
//! where that differs. Links are taken in the order of their credibility: those that both ends state, those of a node to a
//! parent that is not younger, those of a node to any parent, those of a parent to its children. A link that would close a
//! circle is not taken. Where the branch still ends at a node that is no beginning, it goes on at the youngest leaf of the
//! other trees that is not younger than the node.
//!
//! Invariants: time is close to linear in the number of nodes; every message is on the branch, on another branch of the
//! same tree (an edited prompt, a regenerated answer), or among [`Branch::loose`].

use std::collections::HashMap;

use serde_json::Value;

use super::fields::Fields;
use super::timestamp;

/// Maximum number of ancestors in which the time of a node is sought.
const MAX_TIME_ANCESTORS: usize = 32;

/// Messages of the branch in view.
pub(super) struct Branch<'a> {
    /// First to last, each with its node's id.
    pub(super) messages: Vec<(&'a str, &'a Fields)>,
    /// True if a node of the conversation is its own ancestor, and its links could not be mended.
    pub(super) is_circle: bool,
    /// Ids of the nodes with messages that hang on no branch of the tree that is read.
    pub(super) loose: Vec<&'a str>,
    /// Ids of the nodes whose message is no object.
    pub(super) odd: Vec<&'a str>,
}

struct Node<'a> {
    id: &'a str,
    message: Option<&'a Fields>,
    parent: Option<usize>,
    /// Time of the message, in seconds since 1970.
    time: Option<f64>,
}

struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    /// Union-find forest: a node nearer to the root of its tree, or the root itself.
    upwards: Vec<usize>,
    /// Nodes of circles that were opened, and are on no branch otherwise.
    in_circles: Vec<usize>,
}

/// Branch of a conversation: the one that ends at the node `current`, else at the newest leaf.
pub(super) fn branch<'a>(mapping: &'a Fields, current: Option<&str>) -> Branch<'a> {
    let index = index_of(mapping);
    let (mut tree, circles) = Tree::new(mapping, &index);
    let is_circle = circles.iter().any(|&node| tree.parent(node).is_none());
    let last = current.and_then(|id| index.get(id).copied()).or_else(|| tree.newest_leaf());
    let mut is_on = vec![false; tree.nodes.len()];
    let mut path = Vec::new();
    if let Some(last) = last {
        tree.mend(last);
        let mut next = Some(last);
        while let Some(node) = next {
            path.push(node);
            is_on.get_mut(node).into_iter().for_each(|on| *on = true);
            next = tree.parent(node);
        }
    }
    let root = path.last().copied();
    let mut is_in_circle = vec![false; tree.nodes.len()];
    for node in std::mem::take(&mut tree.in_circles) {
        is_in_circle.get_mut(node).into_iter().for_each(|is_in| *is_in = true);
    }
    let is_at = |marks: &[bool], node: usize| marks.get(node).copied().unwrap_or_default();
    let loose = (0..tree.nodes.len()).filter(|&node| {
        let has_message = tree.nodes.get(node).is_some_and(|node| node.message.is_some());
        has_message && !is_at(&is_on, node) && (is_at(&is_in_circle, node) || Some(tree.root(node)) != root)
    });
    let loose: Vec<usize> = loose.collect();
    let ids = |nodes: Vec<usize>| {
        nodes.iter().filter_map(|&node| tree.nodes.get(node).map(|node| node.id)).collect()
    };
    path.reverse();
    let messages = path.iter().filter_map(|&node| {
        let node = tree.nodes.get(node)?;
        Some((node.id, node.message?))
    });
    let is_odd = |node: &Value| match node.as_object() {
        Some(node) => node.get("message").is_some_and(|message| !message.is_null() && !message.is_object()),
        None => !node.is_null(),
    };
    let odd = mapping.iter().filter(|(_, node)| is_odd(node)).map(|(id, _)| id.as_str()).collect();
    Branch { messages: messages.collect(), is_circle, loose: ids(loose), odd }
}

/// Nodes by the keys of the map, and by their own ids where these are no keys.
fn index_of(mapping: &Fields) -> HashMap<&str, usize> {
    let mut index: HashMap<&str, usize> =
        mapping.keys().enumerate().map(|(node, key)| (key.as_str(), node)).collect();
    for (node, value) in mapping.values().enumerate() {
        if let Some(id) = value.get("id").and_then(Value::as_str) {
            index.entry(id).or_insert(node);
        }
    }
    index
}

/// Id in a link, also written as a number.
fn linked(value: &Value) -> Option<String> {
    match value {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

impl<'a> Tree<'a> {
    /// Tree with its links, and the nodes at which circles were opened.
    fn new(mapping: &'a Fields, index: &HashMap<&str, usize>) -> (Self, Vec<usize>) {
        let nodes = mapping.iter().map(|(id, value)| {
            let message = value.get("message").and_then(Value::as_object);
            let time = message.and_then(|message| timestamp::seconds_of_value(message.get("create_time")?));
            Node { id, message, parent: None, time }
        });
        let nodes: Vec<Node<'_>> = nodes.collect();
        let upwards = (0..nodes.len()).collect();
        let mut tree = Self { nodes, upwards, in_circles: Vec::new() };

        let names: Vec<Option<String>> =
            mapping.values().map(|node| node.get("parent").and_then(linked)).collect();
        let parents: Vec<Option<usize>> =
            names.iter().map(|name| index.get(name.as_deref()?).copied()).collect();
        // Parents by the names of their children, also of children that are missing.
        let mut listed: HashMap<String, usize> = HashMap::new();
        for (parent, node) in mapping.values().enumerate() {
            let children = node.get("children").and_then(Value::as_array);
            for child in children.into_iter().flatten().filter_map(linked) {
                listed.entry(child).or_insert(parent);
            }
        }
        let listers = mapping.iter().map(|(key, value)| {
            let own = value.get("id").and_then(Value::as_str);
            listed.get(key).or_else(|| listed.get(own?)).copied()
        });
        let listers: Vec<Option<usize>> = listers.collect();

        let stated = || parents.iter().enumerate().filter_map(|(node, parent)| Some((node, (*parent)?)));
        for (node, parent) in stated().filter(|(node, parent)| listers.get(*node) == Some(&Some(*parent))) {
            tree.link(node, parent);
        }
        for (node, parent) in stated() {
            let is_younger =
                matches!((tree.time(node), tree.time(parent)), (Some(own), Some(other)) if own < other);
            if !is_younger {
                tree.link(node, parent);
            }
        }
        let mut circles = Vec::new();
        for (node, parent) in stated() {
            if tree.parent(node).is_none() && !tree.link(node, parent) {
                tree.in_circles.extend(tree.up_from(parent));
                circles.push(node);
            }
        }
        for (node, (lister, name)) in listers.iter().zip(&names).enumerate() {
            // A missing parent may be among the children of another node: then that one is the next ancestor.
            let beyond = name.as_ref().filter(|name| !index.contains_key(name.as_str()));
            if let Some(parent) = lister.or_else(|| listed.get(beyond?).copied()) {
                tree.link(node, parent);
            }
        }
        (tree, circles)
    }

    fn parent(&self, node: usize) -> Option<usize> {
        self.nodes.get(node)?.parent
    }

    fn time(&self, node: usize) -> Option<f64> {
        self.nodes.get(node)?.time
    }

    /// The node and its ancestors.
    fn up_from(&self, node: usize) -> Vec<usize> {
        std::iter::successors(Some(node), |node| self.parent(*node)).collect()
    }

    /// Root of the node's tree.
    fn root(&mut self, node: usize) -> usize {
        let mut at = node;
        while let Some(&next) = self.upwards.get(at).filter(|next| **next != at) {
            let beyond = self.upwards.get(next).copied().unwrap_or(next);
            self.upwards.get_mut(at).into_iter().for_each(|upwards| *upwards = beyond);
            at = next;
        }
        at
    }

    /// Makes `parent` the parent of a node without one. False if that would close a circle.
    fn link(&mut self, node: usize, parent: usize) -> bool {
        if self.parent(node).is_some() {
            return true;
        }
        if self.root(parent) == node {
            return false;
        }
        self.nodes.get_mut(node).into_iter().for_each(|node| node.parent = Some(parent));
        self.upwards.get_mut(node).into_iter().for_each(|upwards| *upwards = parent);
        true
    }

    /// Nodes with messages on which no other hangs.
    fn leaves(&self) -> Vec<usize> {
        let mut is_leaf: Vec<bool> = self.nodes.iter().map(|node| node.message.is_some()).collect();
        for parent in self.nodes.iter().filter_map(|node| node.parent) {
            is_leaf.get_mut(parent).into_iter().for_each(|is_leaf| *is_leaf = false);
        }
        is_leaf.iter().enumerate().filter(|(_, is_leaf)| **is_leaf).map(|(node, _)| node).collect()
    }

    /// Time of a node or of its nearest ancestor with one.
    fn inherited_time(&self, node: usize) -> Option<f64> {
        let line = std::iter::successors(Some(node), |node| self.parent(*node));
        line.take(MAX_TIME_ANCESTORS).find_map(|node| self.time(node))
    }

    /// Leaf with the newest message; ties go to the greatest id, and leaves without a time come last. Without a leaf, any
    /// node with a message will do.
    fn newest_leaf(&self) -> Option<usize> {
        let mut ends = self.leaves();
        if ends.is_empty() {
            ends = (0..self.nodes.len()).collect();
        }
        let time = |node: usize| self.inherited_time(node).unwrap_or(f64::NEG_INFINITY);
        let id = |node: usize| self.nodes.get(node).map(|node| node.id);
        let ranked = ends.into_iter().map(|node| (time(node), id(node), node));
        let newest = ranked.max_by(|one, other| one.0.total_cmp(&other.0).then_with(|| one.1.cmp(&other.1)));
        newest.map(|(_, _, node)| node)
    }

    /// Joins the branch that ends at `last` to other trees, as long as it begins at a node that is no beginning.
    fn mend(&mut self, last: usize) {
        let mut leaves: Vec<(f64, usize)> = Vec::new();
        let mut untimed = Vec::new();
        for leaf in self.leaves() {
            match self.inherited_time(leaf) {
                Some(time) => leaves.push((time, leaf)),
                None => untimed.push(leaf),
            }
        }
        leaves.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let mut bound = f64::INFINITY;
        let mut end = last;
        loop {
            let line = self.up_from(end);
            let Some(&first) = line.last() else { return };
            // A node without a message is where ChatGPT lets a conversation begin.
            if self.nodes.get(first).is_none_or(|node| node.message.is_none()) {
                return;
            }
            let own = line.iter().rev().find_map(|&node| self.time(node));
            let next = match own {
                Some(time) => {
                    bound = bound.min(time);
                    loop {
                        let Some((time, leaf)) = leaves.pop() else { return };
                        if time <= bound && self.root(leaf) != first {
                            break leaf;
                        }
                    }
                }
                // Without times, only a single other end leaves nothing to guess.
                None => {
                    let mut others = leaves.iter().map(|(_, leaf)| *leaf).chain(untimed.iter().copied());
                    let others: Vec<usize> = others.by_ref().filter(|&leaf| leaf != last).collect();
                    let mut others = others.into_iter().filter(|&leaf| self.root(leaf) != first);
                    match (others.next(), others.next()) {
                        (Some(leaf), None) => leaf,
                        _ => return,
                    }
                }
            };
            self.link(first, next);
            end = next;
        }
    }
}

//! The graph of memories through every layer: a real server process, driven by the SDK.
#![expect(clippy::unwrap_used, reason = "tests")]

use crate::process::ServerProcess;
use engrain::Client;
use engrain::client::{GraphOptions, NeighboursQuery};
use engrain::wire::{
    AddMemories, GraphDirection, GraphDocument, GraphEdgeType, GraphFormat, Link, NewMemory, Scope,
};
use uuid::Uuid;

async fn add(client: &Client, text: &str, links: Vec<Link>, sources: Vec<Uuid>) -> Uuid {
    let memory = NewMemory { text: text.to_owned(), links, sources, ..NewMemory::default() };
    let request = AddMemories { scope: Scope::user("ann"), memories: vec![memory], ..AddMemories::default() };
    client.add_memories(&request).await.unwrap().memory_ids[0]
}

async fn exported(client: &Client, format: GraphFormat) -> String {
    let options = GraphOptions { texts: true, ..GraphOptions::default() };
    let mut file = Vec::new();
    let bytes = client.export_graph(&Scope::user("ann"), format, &options, &mut file).await.unwrap();
    assert_eq!(bytes, file.len() as u64);
    String::from_utf8(file).unwrap()
}

#[tokio::test]
async fn a_graph_is_asked_for_by_the_sdk_and_follows_an_erasure() {
    let directory = tempfile::tempdir().unwrap();
    let server = ServerProcess::start(directory.path()).await;
    let client = &server.client;
    let garden = add(client, "The garden is large", vec![], vec![]).await;
    let reason = Some("Both are about the garden".to_owned());
    let link = Link { to: garden, relation: "elaborates".to_owned(), weight: 0.5, reason };
    let roses = add(client, "Roses grow there", vec![link], vec![]).await;
    let liking = add(client, "Ann likes roses", vec![], vec![roses]).await;

    let query = NeighboursQuery {
        hops: Some(2),
        direction: Some(GraphDirection::In),
        options: GraphOptions { texts: true, ..GraphOptions::default() },
        ..NeighboursQuery::default()
    };
    let near = client.neighbours(garden, &query).await.unwrap();
    let found: Vec<(Uuid, u8)> = near.neighbours.iter().map(|it| (it.memory.id, it.hops)).collect();
    assert_eq!(found, [(roses, 1), (liking, 2)]);
    assert_eq!(near.neighbours[0].memory.text.as_deref(), Some("Roses grow there"));
    assert_eq!(near.neighbours[0].edge.reason.as_deref(), Some("Both are about the garden"));
    assert_eq!(near.neighbours[1].edge.edge_type, GraphEdgeType::Evidence);

    let path = client.path((liking, garden), None, &GraphOptions::default()).await.unwrap();
    assert_eq!(path.memories.iter().map(|node| node.id).collect::<Vec<_>>(), [liking, roses, garden]);
    let clusters = client.clusters(&Scope::user("ann"), None, &GraphOptions::default()).await.unwrap();
    assert_eq!((clusters.total, clusters.clusters[0].size), (1, 3));
    let document: GraphDocument = serde_json::from_str(&exported(client, GraphFormat::Json).await).unwrap();
    assert_eq!((document.nodes.len(), document.edges.len()), (3, 2));
    assert!(exported(client, GraphFormat::GraphMl).await.ends_with("</graphml>\n"));

    client.delete_memory(roses).await.unwrap();
    assert!(client.neighbours(garden, &query).await.unwrap().neighbours.is_empty());
    let left: GraphDocument = serde_json::from_str(&exported(client, GraphFormat::Json).await).unwrap();
    assert_eq!((left.nodes.len(), left.edges.len()), (1, 0), "the derived one went, too");
}

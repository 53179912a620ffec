-- The archive as a view, and queries on it. Run it beside a copy of the archive: docs/operating.md, "Keep an archive".
CREATE VIEW events AS
SELECT
  MessageAttributes['received_at'].StringValue AS received_at,
  MessageAttributes['entity'].StringValue AS entity,
  MessageAttributes['event'].StringValue AS topic,
  MessageAttributes['entity_id'].StringValue AS entity_id,
  MessageAttributes['occurred_at'].StringValue AS occurred_at,
  MessageAttributes['dedup_id'].StringValue AS dedup_id,
  MessageBody AS body
FROM read_json('archive/*/*/*/*/*/*.json', columns = {
  MessageBody: 'VARCHAR',
  MessageAttributes: 'MAP(VARCHAR, STRUCT(DataType VARCHAR, StringValue VARCHAR))'
});

-- Events by topic and day
SELECT topic, left(received_at, 10) AS day, count(DISTINCT dedup_id) AS events FROM events GROUP BY ALL ORDER BY ALL;

-- The history of an entity
SELECT received_at, topic, occurred_at FROM events WHERE entity = 'label' AND entity_id = 'cl0sjr9nb9tfi0zatagsq5zw1' ORDER BY received_at;

-- The events whose body has a text. The body of a pointer is the pointer.
SELECT received_at, entity, entity_id FROM events WHERE contains(body, 'ckm1qkb1v0bqx0797dvjt4wjt') ORDER BY received_at;

-- The large bodies with a text
SELECT filename FROM read_blob('archive/*/*/*/*/*/*.body') WHERE contains(content::VARCHAR, 'ckm1qkb1v0bqx0797dvjt4wjt') ORDER BY filename;

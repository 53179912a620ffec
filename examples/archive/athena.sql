-- Write the name of the relay's bucket for BUCKET. Partition projection finds the hours, so nobody has to add partitions.
CREATE EXTERNAL TABLE relay_archive (
  MessageBody string,
  MessageAttributes map<string, struct<DataType: string, StringValue: string>>,
  MessageGroupId string
)
PARTITIONED BY (entity string, hour string)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')
LOCATION 's3://BUCKET/archive/'
TBLPROPERTIES (
  'projection.enabled' = 'true',
  'projection.entity.type' = 'enum',
  'projection.entity.values' = 'label,workflow,review,model_run,unrouted',
  'projection.hour.type' = 'date',
  'projection.hour.format' = 'yyyy/MM/dd/HH',
  'projection.hour.range' = '2026/01/01/00,NOW',
  'projection.hour.interval' = '1',
  'projection.hour.interval.unit' = 'HOURS',
  'storage.location.template' = 's3://BUCKET/archive/${entity}/${hour}/'
);

-- Events by topic and day. Athena takes the .body objects for rows, too: the last condition leaves them out.
SELECT element_at(messageattributes, 'event').stringvalue AS topic, substr(hour, 1, 10) AS day,
  count(DISTINCT element_at(messageattributes, 'dedup_id').stringvalue) AS events
FROM relay_archive
WHERE hour BETWEEN '2026/02/01/00' AND '2026/02/28/23' AND "$path" LIKE '%.json'
GROUP BY 1, 2 ORDER BY 1, 2;

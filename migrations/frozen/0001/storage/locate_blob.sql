-- Where the bytes of a digest can be read.
create type pkgdb.blob_location as (
    backend     text,
    url         text,
    object_key  text,
    size        bigint,
    generation  bigint,
    verified_at timestamptz
);
comment on type pkgdb.blob_location is 'An object that holds the bytes of a digest.';

create function pkgdb.locate_blob(p_namespace pkgdb.string, p_sha256 pkgdb.string)
returns setof pkgdb.blob_location
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    v_digest bytea := pkgdb.read_digest(p_sha256);
begin
    perform pkgdb.check_text('namespace', p_namespace, 255);
    return query
    select b.name::text, b.url, pkgdb.object_key(p_namespace, c.sha256, c.generation), o.size,
           c.generation, c.verified_at
      from pkgdb.blob_copy c
      join pkgdb.backend b on b.namespace = p_namespace and b.backend_id = c.backend_id
      join pkgdb.blob o on o.namespace = p_namespace and o.sha256 = c.sha256
     where c.namespace = p_namespace and c.sha256 = v_digest and c.state = 'present'
       and b.status = 'live'
     order by b.backend_id;
end;
$$;
comment on function pkgdb.locate_blob is
    'The objects that hold the bytes p_sha256 (64 hexadecimal digits), on live backends, oldest '
    'backend first; none where none are stored. Errors: RG400 malformed argument.';
grant execute on function pkgdb.locate_blob to pkgdb_reader;

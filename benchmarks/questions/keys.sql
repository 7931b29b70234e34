-- Order keys as others make them in SQL, written anew from what they published, to be measured
-- beside ours: a capturing regex takes a version apart, a jsonb array orders what it finds.

-- crates.io (semver_ord, in the migrations of rust-lang/crates.io): three numbers, then an object
-- for a release, as that is above any array; or for a prerelease its first ten identifiers in pairs
-- (whether it is a text, and the number or text), null for those that it has not, and the rest.
create function public.peer_semver_key(p_version text)
returns jsonb
language plpgsql
immutable parallel safe
as $$
declare
    v_found       text[] := regexp_match(
        p_version, '^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?');
    v_identifiers text[] := string_to_array(v_found[4], '.');
    v_identifier  text;
    v_place       integer := 0;
    v_prerelease  jsonb := '{}';
begin
    if v_identifiers is not null then
        v_prerelease := to_jsonb(array_fill(null::boolean, array[21]));
        foreach v_identifier in array v_identifiers[1:10]
        loop
            v_prerelease := jsonb_set(
                v_prerelease, array[v_place::text], to_jsonb(v_identifier !~ '^\d+$'));
            v_prerelease := jsonb_set(
                v_prerelease, array[(v_place + 1)::text],
                case when v_identifier ~ '^\d+$' then to_jsonb(v_identifier::numeric)
                     else to_jsonb(v_identifier) end);
            v_place := v_place + 2;
        end loop;
        v_prerelease := jsonb_set(
            v_prerelease, '{20}', to_jsonb(array_to_string(v_identifiers[11:], '.')));
    end if;
    return jsonb_build_array(
        v_found[1]::numeric, v_found[2]::numeric, v_found[3]::numeric, v_prerelease);
end;
$$;

-- Trustify (pythonver_cmp, in the migrations of guacsec/trustify), a comparison made a key: the
-- first three numbers, then one capturing regex for each of pre, post, dev and local.
create function public.peer_pep440_key(p_version text)
returns jsonb
language plpgsql
immutable parallel safe
as $$
declare
    v_release text[] := regexp_split_to_array(
        rtrim(substring(p_version from '^[^[:alpha:]+]+'), '.'), '\.');
    v_pre     text[] := regexp_match(p_version, '\d(a|b|rc)(\d*)');
    v_post    text[] := regexp_match(p_version, 'post(\d+)');
    v_dev     text[] := regexp_match(p_version, 'dev(\d+)');
    v_local   text[] := regexp_match(p_version, '\+([a-zA-Z0-9.]+)');
begin
    return jsonb_build_array(
        v_release[1]::numeric,
        coalesce(v_release[2]::numeric, 0),
        coalesce(v_release[3]::numeric, 0),
        coalesce(v_pre[1], 'without'),
        nullif(v_pre[2], '')::numeric,
        v_post[1]::numeric,
        v_dev is null,
        v_dev[1]::numeric,
        v_local[1]);
exception
    when others then
        return null;
end;
$$;

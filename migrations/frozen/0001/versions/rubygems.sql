-- RubyGems versions (Gem::Version of RubyGems 3.5 and later; what its registry takes on a push).
--
-- A number, then numbers and texts, parted by dots and where digits meet letters: 1.0.rc1 is 1, 0,
-- rc, 1. They compare from left to right, text < number, texts byte by byte; the end equals endless
-- zeros, so 1.a < 1 = 1.0 < 1.0.1. Zeros before the first text mean nothing, 1.0.a = 1.a; to be
-- exact, the first zeros after a dot and before a text: 1.a.0.b = 1.a.b, and 1.0.a.0.b is another.
-- RubyGems before 3.5 had 1.a.0.b = 1.0.a.0.b.
--
-- The registry refuses what Gem::Version takes: a dash (".pre." to it), spaces, and an end like
-- that of a gem, json, html or gemspec file. It also refuses a version that differs in case alone
-- from another of the gem; that is no identity, for case has its place in the order.
--
-- Identity is the segments that compare, the registry's "canonical number": 1.0 = 1 = 01.0.0. Their
-- spelling is the shortest, without dots where digits meet letters: 1.2.0.rc.1 is 1.2rc1. A
-- prerelease has a letter.
--
-- Key: for each segment a number, or \x01 text \x01; a zero is \x02 where a text comes next, zeros
-- aside; \x03 at the end.

-- The segments that count, with a dot between any two.
create function pkgdb.rubygems_segments(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_version text collate "C" := p_version;
begin
    if not coalesce(pkgdb.version_fits(v_version), false)
        or v_version !~ '^[0-9]+(?:[.][0-9A-Za-z]+)*$'
    then
        raise exception using
            errcode = 'RG400',
            message = format(case
                when strpos(v_version, '-') > 0 then 'version %s has a dash'
                else 'version %s is not a RubyGems version'
            end, pkgdb.quoted(p_version)),
            hint = 'A number, then numbers and texts after dots, at most 255 characters; ".pre." '
                   'in place of a dash.';
    end if;

    if ltrim(v_version, '.0123456789') <> '' then
        -- Zeros at the end, and the first before a text, in the order in which RubyGems takes them.
        v_version := regexp_replace(v_version, '(?<=[A-Za-z.])[.0]+$', '');
        v_version := regexp_replace(v_version, '(^|[.])[.0]+(?=[A-Za-z])', E'\\1');
        v_version := regexp_replace(v_version, '[.]?([A-Za-z]+)[.]?', E'.\\1.', 'g');
        v_version := btrim(replace(v_version, '..', '.'), '.');
        if v_version ~* '(?:^|[.])(?:gem|gemspec|html|json)$' then
            raise exception using
                errcode = 'RG400',
                message = format('version %s ends like a file name', pkgdb.quoted(p_version)),
                hint = 'The last part is none of gem, gemspec, html and json.';
        end if;
    end if;
    if v_version ~ '(?:^|[.])0[0-9]' then
        v_version := regexp_replace(v_version, '(^|[.])0+(?=[0-9])', E'\\1', 'g');
    end if;
    while right(v_version, 2) = '.0'
    loop
        v_version := left(v_version, -2);
    end loop;
    return v_version;
end;
$$;
comment on function pkgdb.rubygems_segments is
    'The canonical segments of a RubyGems version; RG400 where it is none.';

create function pkgdb.rubygems_normalize(p_version text)
returns text
language plpgsql
immutable parallel safe
as $$
declare
    v_rest  text collate "C" := pkgdb.rubygems_segments(p_version);
    v_first text collate "C";
begin
    if ltrim(v_rest, '.0123456789') = '' then
        return v_rest;
    end if;
    if v_rest < ':' then
        v_first := split_part(v_rest, '.', 1);
        v_rest := substr(v_rest, length(v_first) + 2);
    end if;
    v_rest := regexp_replace(
        v_rest, '([0-9])[.](?=[A-Za-z])|([A-Za-z])[.](?=[0-9])', E'\\1\\2', 'g');
    -- Zeros that would now be the first are kept by a zero before the first text.
    if v_first <> '' and v_rest ~ '[.]0[.0]*[A-Za-z]' then
        v_rest := ltrim(regexp_replace(v_rest, '[A-Za-z]', E'.0\\&'), '.');
    end if;
    return coalesce(v_first, '0') || '.' || v_rest;
end;
$$;
comment on function pkgdb.rubygems_normalize is
    'The shortest spelling of a RubyGems version''s canonical segments; RG400 where it is none.';

create function pkgdb.rubygems_key(p_version text)
returns bytea
language plpgsql
immutable parallel safe
as $$
declare
    v_part  text collate "C";
    v_key   text collate "C" := '';
    v_zeros integer := 0;
begin
    foreach v_part in array string_to_array(pkgdb.rubygems_segments(p_version), '.')
    loop
        if v_part = '0' then
            v_zeros := v_zeros + 1;
        else
            v_key := v_key || case
                when v_part < ':' then repeat(chr(4), v_zeros) || pkgdb.number_key(v_part)
                else repeat(chr(2), v_zeros) || chr(1) || v_part || chr(1)
            end;
            v_zeros := 0;
        end if;
    end loop;
    return (v_key || chr(3))::bytea;
end;
$$;
comment on function pkgdb.rubygems_key is 'Order key of a RubyGems version.';

create function pkgdb.rubygems_is_prerelease(p_version text)
returns boolean
language sql
immutable parallel safe
return pkgdb.rubygems_segments(p_version) collate "C" ~ '[A-Za-z]';
comment on function pkgdb.rubygems_is_prerelease is 'True where a RubyGems version has a letter.';

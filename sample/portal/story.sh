#!/usr/bin/env bash
# The story of the portal, told with curl: a record is saved if and only if the files it names are its own.
#
#   npm start                                          # in one terminal
#   bash sample/portal/story.sh [http://localhost:3000]  # in another; BASE_URL does as well
#
# Every step says what it expects; the first that is disappointed ends the story with exit code 1. It may be told again and
# again: whatever it makes has a name of its own.
set -euo pipefail

base=${1:-${BASE_URL:-http://localhost:3000}}
base=${base%/}
run=$(date +%s)-$$ # makes names unique
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

status= # of the last request
body=   # its file

title() { printf '\n%s\n' "$*"; }

# call TOKEN CURL_ARGUMENTS…: sends a request, as nobody if the token is empty; sets $status and leaves the answer in $body.
call() {
  local token=$1
  shift
  local auth=()
  [ -z "$token" ] || auth=(-H "Authorization: Bearer $token")
  body=$work/answer
  status=$(curl -sSL -o "$body" -w '%{http_code}' ${auth[@]+"${auth[@]}"} "$@")
}

# send METHOD TOKEN PATH JSON
send() { call "$2" -X "$1" -H 'Content-Type: application/json' -d "$4" "$base$3"; }

# expect STATUS WHAT
expect() {
  if [ "$status" = "$1" ]; then
    printf '  ok  %s (%s)\n' "$2" "$status"
  else
    printf '  NO  %s: expected %s, got %s\n      %s\n' "$2" "$1" "$status" "$(head -c 500 "$body")" >&2
    exit 1
  fi
}

# same ACTUAL EXPECTED WHAT
same() {
  if [ "$1" = "$2" ]; then
    printf '  ok  %s\n' "$3"
  else
    printf '  NO  %s: expected "%s", got "%s"\n' "$3" "$2" "$1" >&2
    exit 1
  fi
}

# field EXPRESSION: reads the last answer, `field .resources[0].id`. With node, which the portal needs anyway.
field() { node -e "console.log(JSON.parse(require('fs').readFileSync(process.argv[1], 'utf8'))$1 ?? '')" "$body"; }

# Writes a PDF that no other is like.
pdf() { printf '%%PDF-1.7\n%% %s %s\n' "$run" "$RANDOM$RANDOM" >"$1"; }

# upload TOKEN FILE: uploads and sets $file to its id.
upload() {
  call "$1" -F "file=@$2" "$base/files"
  expect 201 "uploads $(basename "$2")"
  file=$(field .id)
}

log_in() {
  send POST '' /login "{\"name\":\"$1\",\"password\":\"$2\"}"
  expect 200 "$1 logs in"
}

title '1. Alice and Bob log in.'
log_in alice through-the-looking-glass
alice=$(field .token)
alice_id=$(field .user.id)
log_in bob a-christmas-carol
bob=$(field .token)

title '2. Alice uploads a report. It is hers, and hers alone.'
pdf "$work/report.pdf"
upload "$alice" "$work/report.pdf"
report=$file
call "$alice" "$base/files/$report"
same "$(field .ownerType) $(field .ownerId)" "user $alice_id" 'the file is owned by Alice'
call "$bob" "$base/files/$report/content"
expect 404 'Bob cannot download it; to him there is no such file'
call '' "$base/files/$report/content"
expect 404 'nor can a visitor'

title '3. She saves a public package that names it. With the same commit the file is the package’s.'
send POST "$alice" /packages \
  "{\"name\":\"report-$run\",\"title\":\"Yearly report\",\"visibility\":\"public\",\"attachmentId\":\"$report\"}"
expect 201 'the package is saved'
package=$(field .id)
same "$(field .attachment.name)" report.pdf 'the package shows its attachment'
call "$bob" "$base/files/$report"
same "$(field .ownerType) $(field .ownerId)" "package $package" 'the file is owned by the package'
for reader in "$alice" "$bob" ''; do
  call "$reader" "$base/files/$report/content"
  expect 200 'whoever sees the package downloads it'
  cmp "$body" "$work/report.pdf" || { echo '  NO  other bytes came' >&2; exit 1; }
done
call "$bob" "$base/provenance/$report"
same "$(field '.at(-1).by')" alice 'the history tells that Alice gave it'

title '4. The resources of a package have files of their own.'
printf 'city,inhabitants\nBasel,177654\n' >"$work/cities.csv"
upload "$alice" "$work/cities.csv"
cities=$file
send PATCH "$alice" "/packages/$package" "{\"resources\":[{\"name\":\"cities\",\"fileId\":\"$cities\"}]}"
expect 200 'the package gets a resource'
resource=$(field '.resources[0].id')
call "$bob" "$base/files/$cities"
same "$(field .ownerType) $(field .ownerId)" "resource $resource" 'its file is owned by the resource'

title '5. A save that fails leaves the file with Alice, and no package.'
pdf "$work/draft.pdf"
upload "$alice" "$work/draft.pdf"
draft=$file

still_alices() {
  call "$alice" "$base/files/$draft"
  same "$(field .ownerType) $(field .ownerId) $(field .pinned)" "user $alice_id false" 'the file is still owned by Alice'
  call "$bob" "$base/files/$draft/content"
  expect 404 'and Bob cannot download it'
}

send POST "$alice" /packages "{\"name\":\"draft-$run\",\"title\":\"\",\"attachmentId\":\"$draft\"}"
expect 400 'another field is invalid'
still_alices

send POST "$alice" /packages "{\"name\":\"report-$run\",\"title\":\"Draft\",\"attachmentId\":\"$draft\"}"
expect 409 'the database has a package of this name'
still_alices

{ printf '%%PDF-1.7\n'; head -c 6000000 /dev/zero | tr '\0' ' '; } >"$work/large.pdf"
upload "$alice" "$work/large.pdf"
large=$file
send POST "$alice" /packages \
  "{\"name\":\"draft-$run\",\"title\":\"Draft\",\"visibility\":\"public\",\"attachmentId\":\"$draft\",
    \"resources\":[{\"name\":\"large\",\"fileId\":\"$large\"}]}"
expect 413 'a task finds the files too large, when they had been given away already'
still_alices

call "$alice" "$base/packages"
same "$(field ".filter(({ name }) => name === 'draft-$run').length")" 0 'there is no package of the draft'

title '6. What is not yours, or cannot be, is refused.'
send POST "$bob" /packages "{\"name\":\"bobs-$run\",\"title\":\"Mine now\",\"attachmentId\":\"$draft\"}"
expect 400 'Bob cannot save a package with a file of Alice'
send POST "$alice" /packages "{\"name\":\"odd-$run\",\"title\":\"Odd\",\"attachmentId\":\"no-such-file\"}"
expect 400 'nobody can with a file that does not exist'
send POST "$alice" /packages "{\"name\":\"other-$run\",\"title\":\"Other\",\"attachmentId\":\"$report\"}"
expect 400 'the file of another package stays there'
send POST "$alice" /packages \
  "{\"name\":\"torn-$run\",\"title\":\"Torn\",\"attachmentId\":\"$draft\",
    \"resources\":[{\"name\":\"torn\",\"fileId\":\"$draft\"}]}"
expect 422 'a file has one owner, not two'
still_alices
send PATCH "$bob" "/packages/$package" '{"title":"Mine now"}'
expect 403 'only who made a package changes it'

title '7. A private package keeps its file to itself, until it is published.'
send POST "$alice" /packages "{\"name\":\"draft-$run\",\"title\":\"Draft\",\"attachmentId\":\"$draft\"}"
expect 201 'Alice saves the draft in a private package'
package=$(field .id)
call "$bob" "$base/files/$draft/content"
expect 404 'Bob cannot download it'
call "$alice" -X POST "$base/packages/$package/publish"
expect 200 'Alice publishes the package'
call "$bob" "$base/files/$draft/content"
expect 200 'now he can'
call '' "$base/activity"
same "$(field ".filter((entry) => entry.packageId === '$package')[0].action")" published 'the activity has it'

title 'The story ends well.'

"""Microsoft's own clients against the simulator: judge.py ANNOUNCEMENT CERTIFICATE. Each check prints a line; any failure ends with 1."""

import asyncio
import json
import os
import sys

announcement, certificate = sys.argv[1:3]
# Before the clients are loaded: they read these when they make their first connection.
os.environ["SSL_CERT_FILE"] = os.environ["REQUESTS_CA_BUNDLE"] = certificate

import msal  # noqa: E402
from azure.identity import ClientSecretCredential  # noqa: E402
from kiota_abstractions.base_request_configuration import RequestConfiguration  # noqa: E402
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider  # noqa: E402
from msgraph import GraphRequestAdapter, GraphServiceClient  # noqa: E402
from msgraph.generated.models.o_data_errors.o_data_error import ODataError  # noqa: E402
from msgraph.generated.users.users_request_builder import UsersRequestBuilder  # noqa: E402
from msgraph_core.requests.batch_request_builder import BatchRequestBuilder  # noqa: E402
from msgraph_core.requests.batch_request_content import BatchRequestContent  # noqa: E402
from msgraph_core.requests.batch_request_item import BatchRequestItem  # noqa: E402

SCOPES = ["https://graph.microsoft.com/.default"]

with open(announcement, encoding="utf-8") as file:
    announced = json.loads(file.readline())
tenant = announced["tenants"][0]
origin = f"https://{announced['listen']}"
failed = 0


def check(what: str, holds: object, seen: object = "") -> None:
    """Says whether something holds, and counts when it does not."""
    global failed
    failed += not holds
    print(f"{'ok' if holds else 'FAILED'}: {what} {seen}")


def sign_in() -> None:
    """msal signs in, and understands a refusal."""

    def app(authority: str, secret: str) -> msal.ConfidentialClientApplication:
        return msal.ConfidentialClientApplication(
            tenant["client_id"], client_credential=secret, authority=f"{origin}/{authority}", instance_discovery=False, verify=certificate
        )

    answer = app(tenant["tenant_id"], tenant["client_secret"]).acquire_token_for_client(SCOPES)
    check("msal: a token", answer.get("token_type") == "Bearer" and answer.get("expires_in", 0) >= 3500)
    refused = app(tenant["domain"], "not the secret").acquire_token_for_client(SCOPES)
    check("msal: a wrong secret is refused", refused.get("error_codes") == [7000215], refused.get("error"))


async def read(credential: ClientSecretCredential) -> None:
    """msgraph-sdk reads all that Rollcall reads, and more."""
    provider = AzureIdentityAuthenticationProvider(credential, scopes=SCOPES, allowed_hosts=["127.0.0.1"])
    adapter = GraphRequestAdapter(provider)
    adapter.base_url = f"{origin}/v1.0"
    graph = GraphServiceClient(request_adapter=adapter)

    page = await graph.users.delta.get()
    seen = {user.id for user in page.value}
    while page.odata_next_link:
        page = await graph.users.delta.with_url(page.odata_next_link).get()
        seen |= {user.id for user in page.value}
    check("delta of users, to its deltaLink", len(seen) == tenant["users"] and page.odata_delta_link, len(seen))

    teams = await graph.groups.delta.get()
    check("delta of groups", teams.value and teams.value[0].created_date_time and "members@delta" in teams.value[0].additional_data)

    fields = ["id", "displayName", "mail", "assignedLicenses", "createdDateTime", "userPrincipalName"]
    query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(select=fields, top=50, expand=["manager($select=id)"])
    users = await graph.users.get(RequestConfiguration(query_parameters=query))
    check("users with their managers", len(users.value) == 50 and any(u.manager for u in users.value) and users.odata_next_link)

    query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
        count=True, filter="userType eq 'Guest' and accountEnabled eq true", orderby=["displayName"], top=5
    )
    advanced = RequestConfiguration(query_parameters=query)
    advanced.headers.add("ConsistencyLevel", "eventual")
    guests = await graph.users.get(advanced)
    check("guests, counted and ordered", guests.odata_count >= len(guests.value) > 0, guests.odata_count)
    one = await graph.users.by_user_id(guests.value[0].user_principal_name).get()
    check("a guest by the name with #EXT# in it", one.id == guests.value[0].id)

    group = graph.groups.by_group_id(teams.value[0].id)
    check("members", (await group.members.get()).value is not None)
    check("transitive members who are users", (await group.transitive_members.graph_user.get()).value is not None)
    check("organization", (await graph.organization.get()).value[0].verified_domains)
    check("subscribed licences", (await graph.subscribed_skus.get()).value[0].sku_part_number)
    check("deleted users", (await graph.directory.deleted_items.graph_user.get()).value is not None)
    person = graph.users.by_user_id(users.value[0].id)
    check("groups of a user", (await person.member_of.get()).value is not None)
    check("licences of a user", (await person.license_details.get()).value is not None)

    try:
        await graph.users.by_user_id("nobody@nowhere.example").get()
        check("nobody is not found", False)
    except ODataError as error:
        told = error.response_status_code == 404 and error.error.code == "Request_ResourceNotFound"
        check("nobody is not found, in Graph's words", told and error.error.inner_error.request_id)

    item = BatchRequestItem(request_information=person.to_get_request_information())
    # As documented, a batch names its requests relative to the version.
    item.set_url(item.url)
    batch = BatchRequestContent({})
    batch.add_request(item.id, item)
    answers = (await BatchRequestBuilder(adapter).post(batch)).get_response_status_codes()
    check("a batch", list(answers.values()) == [200], answers)


sign_in()
credential = ClientSecretCredential(
    tenant["tenant_id"], tenant["client_id"], tenant["client_secret"], authority=origin, disable_instance_discovery=True
)
check("azure-identity: a token", credential.get_token(*SCOPES).token)
asyncio.run(read(credential))
sys.exit(1 if failed else 0)

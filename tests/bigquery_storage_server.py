"""The BigQuery Storage Read API over an Arrow table: a gRPC server with the API's own types."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pyarrow as pa
from google.cloud.bigquery_storage_v1 import BigQueryReadClient, types
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
    BigQueryReadGrpcTransport,
)

SERVICE = "google.cloud.bigquery.storage.v1.BigQueryRead"


class StorageServer:
    """Serves `table` as the content of any table that is asked for, in batches.

    `drop_last` leaves out that many batches at the end of each stream without a word.
    """

    def __init__(self) -> None:
        self.table = pa.table({})
        self.batch_rows = 4
        self.streams = 1
        self.drop_last = 0
        self.sessions: list[types.CreateReadSessionRequest] = []
        self._refusals: dict[str, tuple[grpc.StatusCode, int]] = {}
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers((self._handlers(),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.client = BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=self._channel))

    def refuse(self, call: str, status: grpc.StatusCode, *, after: int = 0) -> None:
        """Fail sessions, or rows after some batches: `call` is session or rows."""
        self._refusals[call] = (status, after)

    def _refuse(self, call: str, context: grpc.ServicerContext, number: int = 0) -> None:
        status, after = self._refusals.get(call, (None, 0))
        if status is not None and number >= after:
            context.abort(status, f"no {call} for you")

    def _handlers(self) -> grpc.GenericRpcHandler:
        create = grpc.unary_unary_rpc_method_handler(
            self._create_read_session,
            types.CreateReadSessionRequest.deserialize,
            types.ReadSession.serialize,
        )
        read = grpc.unary_stream_rpc_method_handler(
            self._read_rows, types.ReadRowsRequest.deserialize, types.ReadRowsResponse.serialize
        )
        methods = {"CreateReadSession": create, "ReadRows": read}
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    def _create_read_session(
        self, request: types.CreateReadSessionRequest, context: grpc.ServicerContext
    ) -> types.ReadSession:
        self.sessions.append(request)
        self._refuse("session", context)
        schema = self.table.schema.serialize().to_pybytes()
        return types.ReadSession(
            name="session",
            table=request.read_session.table,
            data_format=types.DataFormat.ARROW,
            arrow_schema=types.ArrowSchema(serialized_schema=schema),
            streams=[types.ReadStream(name=f"{number}") for number in range(self.streams)],
        )

    def _read_rows(
        self, request: types.ReadRowsRequest, context: grpc.ServicerContext
    ) -> Iterator[types.ReadRowsResponse]:
        batches = self.table.to_batches(self.batch_rows)
        mine = batches[int(request.read_stream) :: self.streams]
        for number, batch in enumerate(mine[: len(mine) - self.drop_last]):
            self._refuse("rows", context, number)
            content = batch.serialize().to_pybytes()
            yield types.ReadRowsResponse(
                row_count=batch.num_rows,
                arrow_record_batch=types.ArrowRecordBatch(serialized_record_batch=content),
            )

    def close(self) -> None:
        """Stop serving."""
        self._channel.close()
        self._server.stop(None).wait()
